import { condition } from '@temporalio/workflow';
import type { CallAnswer, PendingCall } from '../domain/records.ts';

/** Milliseconds between looks at code that computes while it has calls open: doubled each time, up to the longest. */
const FIRST_LOOK_MS = 500;
const MAX_LOOK_MS = 30_000;
/** Answers that are delivered at once: what they are together stays far below what a payload may be. */
const MAX_DELIVERED = 500;

/** The calls of a running block. */
export interface Calls {
  /** Not answered yet. */
  readonly open: number;
  start(calls: readonly PendingCall[]): void;
  /**
   * Answers to deliver: at least one when the code waits; otherwise what is there after a while.
   *
   * @throws what answering a call threw: a cancellation
   */
  nextAnswers(waiting: boolean): Promise<CallAnswer[]>;
  /** Resolves when no call is open. @throws as `nextAnswers` */
  allAnswered(): Promise<void>;
  /** Takes the answers that are there. */
  take(): CallAnswer[];
}

export function createCalls(answer: (call: PendingCall) => Promise<CallAnswer>): Calls {
  let open = 0;
  let answers: CallAnswer[] = [];
  let failure: { readonly error: unknown } | undefined;
  let lookMs = FIRST_LOOK_MS;
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const take = (most = Infinity): CallAnswer[] => {
    const taken = answers.slice(0, most);
    answers = answers.slice(most);
    return taken;
  };
  return {
    get open() {
      return open;
    },
    start(calls) {
      for (const call of calls) {
        open += 1;
        answer(call).then(
          (given) => {
            open -= 1;
            answers.push(given);
          },
          (error: unknown) => {
            open -= 1;
            failure ??= { error };
          },
        );
      }
    },
    async nextAnswers(waiting) {
      const ready = (): boolean => failure !== undefined || answers.length > 0;
      await (waiting ? condition(ready) : condition(ready, lookMs));
      throwFailure();
      lookMs = answers.length > 0 ? FIRST_LOOK_MS : Math.min(MAX_LOOK_MS, lookMs * 2);
      return take(MAX_DELIVERED);
    },
    async allAnswered() {
      await condition(() => failure !== undefined || open === 0);
      throwFailure();
    },
    take: () => take(),
  };
}

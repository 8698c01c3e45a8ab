import { condition } from '@temporalio/workflow';
import type { CallAnswer, PendingCall } from '../domain/records.ts';

/** Milliseconds between looks at code that computes while it has calls open: doubled each time, up to the longest. */
const FIRST_LOOK_MS = 500;
const MAX_LOOK_MS = 30_000;
/** Characters of answers, as JSON, that are delivered at once: far below what a payload may be. One answer has at most a sixth of it. */
const MAX_DELIVERED_CHARACTERS = 400_000;

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
  /** Whether the answers that are there can be delivered at once. */
  readonly fitOneDelivery: boolean;
  /** Takes the answers that are there, as many as are delivered at once. */
  take(): CallAnswer[];
}

export function createCalls(answer: (call: PendingCall) => Promise<CallAnswer>): Calls {
  let open = 0;
  const answers: CallAnswer[] = [];
  let failure: { readonly error: unknown } | undefined;
  let lookMs = FIRST_LOOK_MS;
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const fitting = (): number => {
    let characters = 0;
    const tooMany = answers.findIndex((each) => (characters += JSON.stringify(each).length) > MAX_DELIVERED_CHARACTERS);
    return tooMany === -1 ? answers.length : Math.max(1, tooMany);
  };
  const take = (): CallAnswer[] => answers.splice(0, fitting());
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
      return take();
    },
    async allAnswered() {
      await condition(() => failure !== undefined || open === 0);
      throwFailure();
    },
    get fitOneDelivery() {
      return fitting() === answers.length;
    },
    take,
  };
}

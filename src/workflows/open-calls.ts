import { condition } from '@temporalio/workflow';
import type { PendingCall } from '../domain/contract.ts';
import type { RecordedAnswer } from '../domain/records.ts';

/** Calls of a block that are being answered. */
export interface OpenCalls {
  /** Not answered yet. */
  readonly open: number;
  readonly hasAnswered: boolean;
  add(calls: readonly PendingCall[]): void;
  /** Resolves when an answer is there, or after `milliseconds`. @throws what answering a call threw: a cancellation */
  anyAnswered(milliseconds?: number): Promise<void>;
  takeAnswered(): RecordedAnswer[];
  /** Resolves when nothing is under way. @throws as `anyAnswered` */
  allAnswered(): Promise<void>;
  /**
   * The block runs again in another sandbox, where its calls have other names: whoever asks the same there gets the
   * answer that is here, or under way. Nothing is asked twice.
   *
   * @param undelivered answers that were taken and may not have arrived
   * @param recorded those of them that did: they are given again from the chain
   */
  startAgain(undelivered: readonly RecordedAnswer[], recorded: readonly string[]): void;
}

interface OpenCall {
  readonly request: string;
  /** Its name in the sandbox of now; undefined until the code there has asked. */
  call: string | undefined;
  answer: RecordedAnswer | undefined;
}

/** @param initial answers that are there from the beginning */
export function createOpenCalls(
  answer: (call: PendingCall) => Promise<RecordedAnswer>,
  initial: readonly RecordedAnswer[] = [],
): OpenCalls {
  let calls: OpenCall[] = initial.map((given) => ({ request: given.request, call: given.call, answer: given }));
  let failure: { readonly error: unknown } | undefined;
  const answered = (): boolean => calls.some((each) => each.call !== undefined && each.answer !== undefined);
  const ready = (): boolean => failure !== undefined || answered();

  function begin(pending: PendingCall): void {
    const opened: OpenCall = { request: pending.request, call: pending.call, answer: undefined };
    calls.push(opened);
    answer(pending).then(
      (result) => {
        opened.answer = result;
      },
      (error: unknown) => {
        calls = calls.filter((each) => each !== opened);
        failure ??= { error };
      },
    );
  }

  return {
    get open() {
      return calls.filter((each) => each.answer === undefined).length;
    },
    get hasAnswered() {
      return answered();
    },
    add(pending) {
      for (const call of pending) {
        const waiting = calls.find((each) => each.call === undefined && each.request === call.request);
        if (waiting === undefined) begin(call);
        else waiting.call = call.call;
      }
    },
    async anyAnswered(milliseconds) {
      await (milliseconds === undefined ? condition(ready) : condition(ready, milliseconds));
      if (failure !== undefined) throw failure.error;
    },
    async allAnswered() {
      await condition(() => failure !== undefined || calls.every((each) => each.answer !== undefined));
      if (failure !== undefined) throw failure.error;
    },
    takeAnswered() {
      const taken: RecordedAnswer[] = [];
      calls = calls.filter(({ call, answer: given }) => {
        if (call === undefined || given === undefined) return true;
        taken.push({ ...given, call });
        return false;
      });
      return taken;
    },
    startAgain(undelivered, recorded) {
      const lost = undelivered.filter(({ call }) => !recorded.includes(call));
      calls = [
        ...lost.map((given) => ({ request: given.request, call: undefined, answer: given })),
        ...calls.map((each) => each),
      ];
      for (const each of calls) each.call = undefined;
    },
  };
}

import { CancellationScope, condition } from '@temporalio/workflow';
import type { ActResult, BlockStep, CloseAgentResult, PendingCall } from '../domain/contract.ts';
import type { RecordedAnswer } from '../domain/records.ts';
import { parseHandle, type SandboxName } from '../domain/sandbox.ts';
import { packAnswer, unpackCall } from '../domain/wire.ts';
import { sandboxActivities } from './activities.ts';

/** Milliseconds between looks at code that computes while it has calls open: doubled each time, up to the longest. */
const FIRST_LOOK = 500;
const LONGEST_LOOK = 30_000;

export interface BlocksInput {
  readonly execution: string;
  readonly taskQueue: string;
  readonly sandbox: SandboxName;
  readonly head: string;
  readonly iteration: number;
  /** Number of the last block run. */
  readonly block: number;
  /** What running the code gave already, when the turn was one activity. */
  readonly acted?: ActResult | undefined;
  readonly answer: (call: PendingCall) => Promise<RecordedAnswer>;
  /** Told when the code begins and ends to wait for answers. */
  readonly onWaiting: (waiting: boolean) => void;
}

export interface BlocksResult {
  readonly head: string;
  readonly block: number;
  /** FINAL was called, and the agent closed. */
  readonly final?: CloseAgentResult;
}

/** Runs the code of a reply to its end, answering its calls: each answer goes back as soon as it is there. */
export async function runBlocks(input: BlocksInput): Promise<BlocksResult> {
  const step: BlockStep = { index: 0, block: input.block + 1, cursor: 0 };
  const first = input.acted ?? (await act(input, input.head, step, []));
  const result =
    first.kind === 'done' ? first : await CancellationScope.cancellable(() => answerUntilDone(input, first));
  return {
    head: result.head,
    block: result.block,
    ...(result.final === undefined ? {} : { final: result.final }),
  };
}

type Done = Extract<ActResult, { kind: 'done' }>;

async function answerUntilDone(input: BlocksInput, first: ActResult): Promise<Done> {
  const calls = createOpenCalls(input.answer);
  let look = FIRST_LOOK;
  let result = first;
  try {
    while (result.kind === 'calls') {
      calls.add(result.calls.map(unpackCall));
      input.onWaiting(true);
      await (result.waiting ? calls.anyAnswered() : calls.anyAnswered(look));
      input.onWaiting(false);
      const answered = calls.takeAnswered();
      look = answered.length > 0 ? FIRST_LOOK : Math.min(LONGEST_LOOK, look * 2);
      result = await act(input, result.head, result.step, answered);
    }
    return result;
  } finally {
    // Calls that are still open (the code, or its sandbox, did not live to hear the answer) end with the block.
    if (calls.open > 0) CancellationScope.current().cancel();
  }
}

function act(
  input: BlocksInput,
  head: string,
  step: BlockStep,
  answered: readonly RecordedAnswer[],
): Promise<ActResult> {
  const { execution, sandbox, iteration, taskQueue } = input;
  const what =
    answered.length === 0 ? `run block ${step.block}` : `${answered.length} answer${answered.length === 1 ? '' : 's'}`;
  const summary = `iteration ${iteration}: ${what}`;
  const answers = answered.length === 0 ? {} : { answers: answered.map(packAnswer) };
  return sandboxActivities({ taskQueue, host: parseHandle(sandbox).host }, { summary }).act({
    execution,
    sandbox,
    head,
    step,
    ...answers,
  });
}

interface OpenCalls {
  readonly open: number;
  add(calls: readonly PendingCall[]): void;
  /** Resolves when an answer is there, or after `milliseconds`. @throws what answering a call threw: a cancellation */
  anyAnswered(milliseconds?: number): Promise<void>;
  takeAnswered(): RecordedAnswer[];
}

function createOpenCalls(answer: (call: PendingCall) => Promise<RecordedAnswer>): OpenCalls {
  const answered: RecordedAnswer[] = [];
  let open = 0;
  let failure: { readonly error: unknown } | undefined;
  const ready = (): boolean => answered.length > 0 || failure !== undefined;
  return {
    get open() {
      return open;
    },
    add(calls) {
      for (const call of calls) {
        open += 1;
        answer(call).then(
          (result) => {
            open -= 1;
            answered.push(result);
          },
          (error: unknown) => {
            open -= 1;
            failure ??= { error };
          },
        );
      }
    },
    async anyAnswered(milliseconds) {
      await (milliseconds === undefined ? condition(ready) : condition(ready, milliseconds));
      if (failure !== undefined) throw failure.error;
    },
    takeAnswered: () => answered.splice(0),
  };
}

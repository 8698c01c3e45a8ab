import { CancellationScope } from '@temporalio/workflow';
import type {
  ActInput,
  ActResult,
  BlockStep,
  CloseAgentResult,
  PendingCall,
  WorkflowLimits,
} from '../domain/contract.ts';
import type { RecordedAnswer } from '../domain/records.ts';
import { packAnswer, unpackCall } from '../domain/wire.ts';
import { inSandbox } from './activities.ts';
import { failureMessage, failureType } from './failure-type.ts';
import { createOpenCalls, type OpenCalls } from './open-calls.ts';
import type { LossLimit, OwnSandbox } from './own-sandbox.ts';
import type { Persistence } from './persistence.ts';

/** Milliseconds between looks at code that computes while it has calls open: doubled each time, up to the longest. */
const FIRST_LOOK = 500;
const LONGEST_LOOK = 30_000;

export interface BlocksInput {
  readonly execution: string;
  readonly taskQueue: string;
  readonly sandbox: OwnSandbox;
  /** Whether a sandbox that is lost is made again. */
  readonly rebuilds: boolean;
  readonly limits: Pick<WorkflowLimits, 'rebuild' | 'separate_queues'>;
  readonly losses: LossLimit;
  /** Does again what a person must mend first. */
  readonly persistence: Persistence;
  readonly head: string;
  readonly iteration: number;
  /** Number of the last block run. */
  readonly block: number;
  /** What running the code gave already, when the turn was one activity. */
  readonly acted?: ActResult | undefined;
  readonly answer: (call: PendingCall) => Promise<RecordedAnswer>;
  /** Answers that are there from the beginning: the block was under way when the workflow continued as new. */
  readonly answered?: readonly RecordedAnswer[] | undefined;
  /** Whether the history has become so long that the workflow should continue as new. */
  readonly isLong: () => boolean;
  /** Does so. */
  readonly moveOn: (at: BlockUnderWay) => Promise<never>;
  /** Told when the code begins and ends to wait for answers. */
  readonly onWaiting: (waiting: boolean) => void;
}

export interface BlockUnderWay {
  readonly head: string;
  readonly step: BlockStep;
  readonly answered: readonly RecordedAnswer[];
}

export interface BlocksResult {
  readonly head: string;
  readonly block: number;
  /** FINAL was called, and the agent closed. */
  readonly final?: CloseAgentResult;
  /** The interpreter ended, and the variables with it. */
  readonly lost?: true;
}

/** Runs the code of a reply to its end, answering its calls: each answer goes back as soon as it is there. */
export async function runBlocks(input: BlocksInput): Promise<BlocksResult> {
  const step: BlockStep = { index: 0, block: input.block + 1, cursor: 0 };
  const calls = createOpenCalls(input.answer, input.answered);
  const first = input.acted ?? (await act(input, { head: input.head, step }, calls));
  const result =
    first.kind === 'done' ? first : await CancellationScope.cancellable(() => answerUntilDone(input, first, calls));
  return {
    head: result.head,
    block: result.block,
    ...(result.final === undefined ? {} : { final: result.final }),
    ...(result.lost === undefined ? {} : { lost: result.lost }),
  };
}

type Done = Extract<ActResult, { kind: 'done' }>;

async function answerUntilDone(input: BlocksInput, first: ActResult, calls: OpenCalls): Promise<Done> {
  let look = FIRST_LOOK;
  let result = first;
  try {
    while (result.kind === 'calls') {
      calls.add(result.calls.map(unpackCall));
      if (result.dropped === true) {
        input.onWaiting(true);
        await calls.allAnswered();
        const rebuilt = await input.sandbox.rebuild(undefined);
        calls.startAgain([], rebuilt.answered ?? []);
        result = await act(input, { head: result.head, step: { ...result.step, cursor: 0 }, keep: true }, calls);
        continue;
      }
      if (input.isLong()) {
        // Nothing may be under way then: a child or a request would lose its parent.
        await calls.allAnswered();
        await input.moveOn({ head: result.head, step: result.step, answered: calls.takeAnswered() });
      }
      input.onWaiting(true);
      await (result.waiting ? calls.anyAnswered() : calls.anyAnswered(look));
      input.onWaiting(false);
      const answered = calls.hasAnswered;
      look = answered ? FIRST_LOOK : Math.min(LONGEST_LOOK, look * 2);
      result = await act(input, result, calls);
    }
    return result;
  } finally {
    // Calls that are still open (the code, or its sandbox, did not live to hear the answer) end with the block.
    if (calls.open > 0) CancellationScope.current().cancel();
  }
}

/** Brings the answers that are there, and lets the block go on; in another sandbox when the one it ran in is lost. */
async function act(
  input: BlocksInput,
  { head, step: from, keep }: { readonly head: string; readonly step: BlockStep; readonly keep?: true },
  calls: OpenCalls,
): Promise<ActResult> {
  let step = from;
  for (;;) {
    const sandbox = await input.sandbox.made();
    const answered = calls.takeAnswered();
    try {
      const work = (): Promise<ActResult> =>
        actOnce(input, { sandbox, head, step, ...(keep ? { keep } : {}) }, answered);
      return await (input.rebuilds ? input.persistence.run(work) : work());
    } catch (error) {
      if (!input.rebuilds || failureType(error) !== 'Sandbox.Lost') throw error;
      const reason = failureMessage(error);
      // Code that had begun to wait did not end its sandbox.
      if (step.cursor === 0) input.losses.count(step.block, reason);
      const rebuilt = await input.sandbox.rebuild(reason);
      calls.startAgain(answered, rebuilt.answered ?? []);
      step = { ...step, cursor: 0 };
    }
  }
}

function actOnce(
  input: BlocksInput,
  where: Pick<ActInput, 'sandbox' | 'head' | 'step' | 'keep'>,
  answered: readonly RecordedAnswer[],
): Promise<ActResult> {
  const { execution, iteration, taskQueue, limits } = input;
  const { sandbox, step } = where;
  const what =
    answered.length === 0 ? `run block ${step.block}` : `${answered.length} answer${answered.length === 1 ? '' : 's'}`;
  const summary = `iteration ${iteration}: ${what}`;
  const answers = answered.length === 0 ? {} : { answers: answered.map(packAnswer) };
  return inSandbox({ execution, taskQueue, sandbox, limits }, { summary }, (activities) =>
    activities.act({ execution, ...where, ...answers }),
  );
}

import { CancellationScope } from '@temporalio/workflow';
import type { CallModelResult, RunCodeResult } from '../domain/contract.ts';
import { answerUsage, type CallAnswer } from '../domain/records.ts';
import { addUsage } from '../domain/usage.ts';
import { inSandbox } from './activities.ts';
import type { Agent } from './agent-parts.ts';
import { answerCall } from './answer-call.ts';
import { createCalls, type Calls } from './calls.ts';
import { continueAgentAsNew, isContinueAsNewSuggested } from './continue-as-new.ts';
import { isFailure } from './failure.ts';

/** Runs the code of the last reply, and answers its calls as they come. @returns whether it called FINAL */
export function runReply(self: Agent, { lines }: Extract<CallModelResult, { kind: 'code' }>): Promise<boolean> {
  return untilEnded(self, () =>
    runCode(self, [], { what: `run ${lines === 1 ? '1 line' : `${lines} lines`}`, starts: true }),
  );
}

/** The same with code that had yielded when the agent continued as new. */
export function continueReply(self: Agent, undelivered: readonly CallAnswer[]): Promise<boolean> {
  return untilEnded(self, () => runCode(self, undelivered));
}

async function untilEnded(self: Agent, begin: () => Promise<RunCodeResult>): Promise<boolean> {
  return CancellationScope.cancellable(async () => {
    const calls = createCalls((call) => answerCall(self, call));
    try {
      let turn = await begin();
      while (turn.kind === 'calls' || turn.kind === 'evicted') {
        calls.start(turn.calls);
        turn = await continueBlock(self, calls, turn);
      }
      if (turn.kind === 'crashed') await rebuildVariables(self);
      return turn.kind === 'final';
    } finally {
      // Calls that are still open (the code, or its sandbox, ended before the answer arrived) end with the code.
      if (calls.open > 0) CancellationScope.current().cancel();
    }
  });
}

/** Waits for answers, and lets the block continue with them. Nothing is held while it waits. */
async function continueBlock(
  self: Agent,
  calls: Calls,
  turn: Extract<RunCodeResult, { kind: 'calls' | 'evicted' }>,
): Promise<RunCodeResult> {
  const { state, sandbox } = self;
  state.phase = 'waiting';
  if (turn.kind === 'evicted') {
    await calls.allAnswered();
    await sandbox.rebuild({ kind: 'evicted' });
    return runCode(self, calls.take(), { pinned: true });
  }
  if (isContinueAsNewSuggested(self)) {
    // No call may be open then: a child or a request would lose its parent.
    await calls.allAnswered();
    if (calls.fitOneDelivery) await continueAgentAsNew(self, calls.take());
  }
  return runCode(self, await calls.nextAnswers(turn.waiting));
}

async function runCode(
  self: Agent,
  answers: readonly CallAnswer[],
  {
    what = delivering(answers.length),
    pinned = false,
    starts = false,
  }: {
    /** For a person. */
    readonly what?: string;
    /** The sandbox is not evicted before the code has gone on: it has just been rebuilt for that. */
    readonly pinned?: boolean;
    /** The code has not run yet; else it has yielded. */
    readonly starts?: boolean;
  } = {},
): Promise<RunCodeResult> {
  const { input, state, sandbox, pauseOnError } = self;
  const { execution, task } = input;
  const head = state.head;
  if (head === undefined) throw new Error('an agent without a reply has no code to run');
  state.phase = 'running';
  const turn = await sandbox.use(
    (name) =>
      pauseOnError.run(() =>
        inSandbox(self.input, name, { summary: `iteration ${state.iteration}: ${what}` }, (activities) =>
          activities.runCode({
            execution,
            task,
            sandbox: name,
            head,
            ...(answers.length === 0 ? {} : { answers }),
            ...(pinned ? { pinned } : {}),
          }),
        ),
      ),
    starts ? state.iteration : undefined,
  );
  // Paid, even if the code ended before the answer arrived.
  state.usage = addUsage(state.usage, ...answers.map(({ answer }) => answerUsage(answer)));
  state.head = turn.head;
  return turn;
}

function delivering(count: number): string {
  if (count === 0) return 'continue the code';
  return count === 1 ? 'deliver 1 answer' : `deliver ${count} answers`;
}

/** The code ended its own interpreter. Where its sandbox cannot be rebuilt the agent continues without its variables. */
async function rebuildVariables({ sandbox }: Agent): Promise<void> {
  try {
    await sandbox.rebuild({ kind: 'lost', reason: 'The interpreter ended while its code ran.' });
  } catch (error) {
    if (!isFailure(error, 'Sandbox.Lost')) throw error;
  }
}

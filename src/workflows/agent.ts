import {
  ApplicationFailure,
  CancellationScope,
  ContinueAsNew,
  defineQuery,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import type { ActResult, AgentInput, AgentResult, CloseAgentInput, CloseAgentResult } from '../domain/contract.ts';
import { agentDepth, splitAgentWorkflowId } from '../domain/ids.ts';
import { statusQuery, type AgentState, type LeaseRecall } from '../domain/messages.ts';
import { answerUsage, type AgentStatus, type AnswerSource, type RecordedAnswer } from '../domain/records.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import { packLease, packTotals, unpackAnswer, unpackLease, unpackLimits, unpackTotals } from '../domain/wire.ts';
import { inSandbox } from './activities.ts';
import type { AgentRun, Progress } from './agent-run.ts';
import { runBlocks } from './blocks.ts';
import { createLossLimit, ownSandbox } from './own-sandbox.ts';
import { isLong, moveOn } from './move-on.ts';
import { askForBestAnswer, takeTurn } from './take-turn.ts';
import { failureMessage, failureType, isCancelled } from './failure-type.ts';
import { createLeaseHolder, type Recalled } from './lease-holder.ts';
import { createPauseGate } from './pause-gate.ts';
import { createPersistence } from './persistence.ts';
import { createSpending } from './spending.ts';
import { answerCall } from './queries.ts';
import { addTotals, createSubAgents, withoutOwnSandbox, type SubAgents } from './sub-agents.ts';

/** Replies without code in a row after which the text is the answer. */
const REPLIES_WITHOUT_CODE = 3;

/** Closing answers that are asked for. */
const CLOSING_ANSWERS = 3;

interface Ending {
  readonly status: AgentStatus;
  readonly source: AnswerSource;
  readonly error?: string;
  /** It was closed where FINAL was called. */
  readonly closed?: CloseAgentResult;
}

setWorkflowOptions({ failureExceptionTypes: [Error] }, agent);
/** One agent, root or sub-agent: asks the model, runs its code, answers the code's calls, until it is done. */
export async function agent(input: AgentInput): Promise<AgentResult> {
  const run = begin(input);
  const ending = await turns(run).then(
    (finished): Ending => ({ status: 'completed', ...finished }),
    (error: unknown): Ending => {
      if (error instanceof ContinueAsNew) throw error;
      return endingOf(error);
    },
  );
  return CancellationScope.nonCancellable(() => end(run, ending));
}

function begin(input: AgentInput): AgentRun {
  const { workflowId, taskQueue } = workflowInfo();
  const { run, agent: id } = splitAgentWorkflowId(workflowId);
  const { resumed } = input;
  const progress: Progress = {
    state: 'starting',
    iteration: resumed?.iteration ?? 0,
    head: resumed?.head ?? (input.task.index === undefined ? input.task.ref : input.task),
    block: resumed?.block ?? 0,
    withoutCode: resumed?.without_code ?? 0,
    usage: resumed?.usage ?? NO_USAGE,
    refusal: undefined,
  };
  const limits = unpackLimits(input.limits);
  const lease = resumed === undefined ? withoutOwnSandbox(unpackLease(input.lease)) : unpackLease(input.lease);
  // Signals that came before the first step are handled the moment their handler is set: before there are sub-agents.
  let known: SubAgents | undefined;
  const nobody = { children: 0, forward: () => undefined };
  const onRecall = (message: LeaseRecall): Recalled => known?.recall(message) ?? nobody;
  const leases = createLeaseHolder({
    run,
    workflowId,
    lease,
    recalled: resumed?.recalled ?? false,
    onRecall,
  });
  const gate = createPauseGate(input.paused === true, (closed) => known?.setPaused(closed));
  const subAgents = createSubAgents({
    run,
    agent: id,
    depth: agentDepth(id),
    parent: input,
    leases,
    isPaused: () => gate.closed,
    before: resumed === undefined ? undefined : { started: resumed.started, totals: unpackTotals(resumed.totals) },
  });
  known = subAgents;
  const persistence = createPersistence({
    run,
    agent: id,
    onError: limits.on_error,
    gate,
    pausesForCost: limits.rebuild === true,
  });
  setHandler(defineQuery<AgentState>(statusQuery), () => ({
    agent: id,
    state: gate.closed && progress.state !== 'done' ? 'paused' : progress.state,
    iteration: progress.iteration,
    head: typeof progress.head === 'string' ? progress.head : null,
    children: subAgents.working,
  }));
  const spending = createSpending(leases, limits.max_cost);
  const sandbox = ownSandbox(input, limits, leases);
  // Made while the model thinks.
  if (limits.whole_turns !== true) sandbox.made().catch(() => undefined); // Its failure is met where it is awaited.
  const losses = createLossLimit();
  return { input, limits, id, taskQueue, leases, subAgents, persistence, spending, sandbox, losses, gate, progress };
}

/** The loop. Returns where the answer comes from. */
async function turns(run: AgentRun): Promise<Pick<Ending, 'source' | 'closed'>> {
  const { progress, limits } = run;
  const underWay = run.input.resumed?.block_under_way;
  if (underWay !== undefined) {
    const { step, answers } = underWay;
    const acted = { kind: 'calls', head: progress.head as string, step, calls: [] } as const;
    const closed = await runCode(run, acted, answers.map(unpackAnswer));
    if (closed !== undefined) return { source: 'final', closed };
  }
  while (progress.iteration < limits.max_iterations) {
    if (isLong(run)) await moveOn(run);
    progress.iteration += 1;
    const turn = await takeTurn(run);
    if (turn === 'too long') break;
    const { reply, acted, turns: taken = 1 } = turn;
    progress.iteration += taken - 1;
    progress.block = turn.block ?? progress.block;
    if (taken > 1) progress.withoutCode = 0;
    progress.refusal = turn.refusal;
    if (reply.blocks === 0) {
      if (!reply.cut && !reply.tool_call) progress.withoutCode += 1;
      const isAnswer = reply.empty === undefined && run.input.typed !== true;
      if (progress.withoutCode === REPLIES_WITHOUT_CODE && isAnswer) return { source: 'text' };
      if (progress.withoutCode === REPLIES_WITHOUT_CODE) break;
      continue;
    }
    progress.withoutCode = 0;
    const closed = await runCode(run, acted);
    if (closed !== undefined) return { source: 'final', closed };
  }
  const why =
    progress.withoutCode === REPLIES_WITHOUT_CODE
      ? `the model wrote no code ${REPLIES_WITHOUT_CODE} times in a row`
      : `there was no result within ${progress.iteration} turns (rlm.max_iterations: ${limits.max_iterations})`;
  await closingAnswer(run, why);
  return { source: 'extract' };
}

/** Asked once; again where the reply is no answer. */
async function closingAnswer(run: AgentRun, why: string): Promise<void> {
  for (let attempt = 1; attempt <= CLOSING_ANSWERS; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the next question depends on this answer
    const best = await askForBestAnswer(run);
    if (best === 'too long') {
      throw ApplicationFailure.nonRetryable(
        'the conversation is too long for the model, even with its turns left out. Choose a model with a longer context, or lower rlm.output_limit.',
        'Model.ContextLength',
      );
    }
    if (best.reply.unfit !== true) return;
  }
  throw ApplicationFailure.nonRetryable(`${why}, and ${CLOSING_ANSWERS} closing answers could not be used`);
}

/** Returns what closing gave when the code called FINAL. */
async function runCode(
  run: AgentRun,
  acted: ActResult | undefined,
  answered?: readonly RecordedAnswer[],
): Promise<CloseAgentResult | undefined> {
  const { progress, leases, subAgents, persistence, spending, input } = run;
  await run.sandbox.made();
  progress.state = 'running';
  const result = await runBlocks({
    execution: input.execution,
    taskQueue: run.taskQueue,
    sandbox: run.sandbox,
    rebuilds: run.limits.rebuild === true,
    limits: run.limits,
    losses: run.losses,
    persistence,
    head: progress.head as string,
    iteration: progress.iteration,
    block: progress.block,
    acted,
    answered,
    isLong: () => isLong(run),
    moveOn: (at) => moveOn(run, at),
    answer: async (call) => {
      const context = { execution: input.execution, limits: run.limits, leases, subAgents, persistence, spending };
      const recorded = await answerCall(context, call);
      // Paid, whether the code lives to hear it or not.
      progress.usage = addUsage(progress.usage, answerUsage(recorded.answer));
      return recorded;
    },
    onWaiting: (waiting) => {
      progress.state = waiting ? 'waiting' : 'running';
    },
  });
  progress.head = result.head;
  progress.block = result.block;
  if (result.lost === true && run.limits.rebuild === true) await rebuildVariables(run);
  return result.final;
}

/** The interpreter ended by its own code; where it cannot be made again the agent goes on without its variables. */
async function rebuildVariables(run: AgentRun): Promise<void> {
  try {
    const { head } = await run.sandbox.rebuild('The interpreter ended while its code ran.');
    run.progress.head = head;
  } catch (error) {
    if (isCancelled(error)) throw error;
  }
}

function endingOf(error: unknown): Ending {
  if (isCancelled(error)) return { status: 'cancelled', source: 'partial' };
  const type = failureType(error);
  const message = failureMessage(error);
  return { status: 'failed', source: 'partial', error: type === undefined ? message : `${type}: ${message}` };
}

/** Takes the patch (root only), records the end, removes the sandbox. */
async function end(run: AgentRun, ending: Ending): Promise<AgentResult> {
  const { progress, id, subAgents, leases } = run;
  progress.state = 'closing';
  // One that is being made is waited for; its failure has been met already, or the agent is cancelled.
  const handle = await run.sandbox.settled();
  const [closed] = await Promise.all([
    ending.closed ?? close(run, ending, handle),
    // They are cancelled by now, or have ended: none is left behind, and what they used counts.
    subAgents.ended(WAIT_FOR_SUB_AGENTS),
  ]);
  progress.state = 'done';
  const own = {
    usage: progress.usage,
    agents: 1,
    depth: agentDepth(id),
    iterations: progress.iteration,
    sandboxes: run.sandbox.count,
  };
  const { balance } = leases;
  return {
    status: ending.status,
    ...closed,
    ...(ending.error === undefined ? {} : { error: ending.error }),
    // A sandbox that could not be made is not counted.
    lease: packLease(handle === undefined ? { ...balance, sandboxes: balance.sandboxes + 1 } : balance),
    totals: packTotals(addTotals(own, subAgents.totals)),
  };
}

/** A cancelled agent gets this long to clean up, whether anybody still waits for it or not; then the sweep does it. */
const CLEAN_UP = '60s';
/** Milliseconds that an agent which has ended waits for its sub-agents. Less than a run waits for its root. */
const WAIT_FOR_SUB_AGENTS = 6000;

async function close(run: AgentRun, ending: Ending, handle: SandboxName | undefined): Promise<CloseAgentResult> {
  const { input, taskQueue, limits } = run;
  const limit = ending.status === 'cancelled' ? { scheduleToCloseTimeout: CLEAN_UP } : {};
  const options = { summary: `end: ${ending.status}`, ...limit };
  let sandbox = handle;
  for (;;) {
    const where = { execution: input.execution, taskQueue, sandbox, limits };
    const closing = closingInput(run, ending, sandbox);
    try {
      return await inSandbox(where, options, (activities) => activities.closeAgent(closing));
    } catch (error) {
      const reason = failureMessage(error);
      if (failureType(error) !== 'Sandbox.Lost' || sandbox === undefined)
        return { notes: [`The end could not be recorded: ${reason}`] };
      // There is a patch to be taken; without it the rest is recorded all the same.
      sandbox = ending.status === 'completed' ? await rebuiltForPatch(run, reason) : undefined;
    }
  }
}

function closingInput(run: AgentRun, ending: Ending, sandbox: SandboxName | undefined): CloseAgentInput {
  return {
    execution: run.input.execution,
    head: run.progress.head,
    ...(sandbox === undefined ? {} : { sandbox }),
    status: ending.status,
    source: ending.source,
    ...(ending.error === undefined ? {} : { error: ending.error }),
  };
}

async function rebuiltForPatch(run: AgentRun, reason: string): Promise<SandboxName | undefined> {
  try {
    return (await run.sandbox.rebuild(reason)).sandbox;
  } catch {
    return undefined;
  }
}

import {
  CancellationScope,
  condition,
  defineQuery,
  setHandler,
  workflowInfo,
  isCancellation,
} from '@temporalio/workflow';
import { BUDGET_ENDED, type RunLimits } from '../domain/budget.ts';
import type { AgentInput, AgentResult, PreparedRun, RunRequest, SkippedRun } from '../domain/contract.ts';
import { agentWorkflowId, ROOT_AGENT } from '../domain/ids.ts';
import {
  approveMessage,
  blockedSignal,
  configureMessage,
  pauseMessage,
  rejectMessage,
  resumeMessage,
  setBudgetMessage,
  statusQuery,
  steerMessage,
  type BlockedMessage,
  type RunState,
  type SteerMessage,
} from '../domain/messages.ts';
import type { Span } from '../domain/presence.ts';
import type { RunOutcome } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import { runActivities } from './activities.ts';
import { createAgentMessages } from './agent-messages.ts';
import { approvePatch } from './approve-patch.ts';
import { AGENTS_END_MS, agentFailure } from './agent-end.ts';
import type { BudgetReport } from './budget.ts';
import { onBudgetMessages } from './budget-messages.ts';
import { onConfigure } from './configure-message.ts';
import { createDeadline } from './deadline.ts';
import { failPlainly } from './failure.ts';
import { afterAllElse, createIgnoredMessages, ignoreOtherSignals, onMessage, onSignal } from './messages.ts';
import { createPauseGate } from './pause-gate.ts';
import { tellPerson } from './tell-person.ts';
import { createQuestions } from './questions.ts';
import {
  closeRun,
  outcomeOf,
  skippedOutcome,
  ownFailure,
  type RootEnd,
  type RunFailure,
  type Stopped,
} from './run-outcome.ts';
import { createRunStatus, type RunStatusKeeper } from './run-status.ts';
import { startAgent, type StartedAgent } from './start-agent.ts';
import { startBudget } from './start-budget.ts';
import { cancelledByName } from './start-child.ts';
import { startingSchedule } from './starting-schedule.ts';
import { noTotals } from './sub-agents.ts';

/** What the kinds of runs differ by. */
export interface RunKind {
  readonly type: RunRequest['type'];
  /** As the run was started with it. */
  readonly input: RunRequest['input'];
  /** The first activity: everything that must be right before anything is spent. */
  readonly prepare: (
    of: { readonly run: string; readonly execution: string; readonly schedule?: string },
    /** To be called with what it waits for, a phrase for a person. */
    onWaiting: (reason: string) => void,
  ) => Promise<PreparedRun | SkippedRun>;
}

/** A run from its preparation to its outcome: budget, root agent, deadline, and what a person changes meanwhile. */
export async function superviseRun(kind: RunKind): Promise<RunOutcome> {
  const { workflowId: run, firstExecutionRunId } = workflowInfo();
  // A run that is retried continues the data of that execution.
  const execution = kind.input.from ?? firstExecutionRunId;
  const startedAt = Date.now();
  const ignored = createIgnoredMessages();
  // Before the handlers: signals that are there already, such as after a reset, are handled when a handler is set.
  const deadline = createDeadline({ isPaused: () => gate.closed || questions.open.length > 0, absence: workerAbsence });
  const status = createRunStatus({
    execution,
    ignored,
    remaining: () => deadline.remaining,
    questions: () => questions.open,
  });
  let root: StartedAgent | undefined;
  let ceilings: RunLimits | undefined;
  let notifies = false;
  /** A person has paused one of the agents, not the run. */
  let isAgentPaused = false;

  const agents = createAgentMessages(run, () => root !== undefined);
  const questions = createQuestions(run, {
    ignored,
    reply: status.read,
    onChange: () => status.refresh(),
    onAsked({ id, text }) {
      const next = `rlm approve ${run} ${id}`;
      if (notifies) tellPerson(run, { event: 'approval', status: 'running', reason: text, next });
    },
  });
  const gate = createPauseGate({
    closed: false,
    ignored,
    reply: status.read,
    forward(name, agent, message) {
      if (name === pauseMessage) isAgentPaused = true;
      return agents.send(name, agent, message);
    },
    onChange(cause, { wasClosed }) {
      status.setPaused(cause);
      const { reason } = status.read();
      if (cause !== undefined && notifies)
        tellPerson(run, { event: 'paused', status: 'paused', reason, next: `rlm resume ${run}` });
      if (cause !== undefined) return root?.tellPaused({});
      // A command that is given again says resume whether the run is paused or not: then nobody needs to hear of it.
      if (!wasClosed && !isAgentPaused) return;
      isAgentPaused = false;
      // What was sent before arrives before: the agents have their limits when they ask for more, and an agent that was
      // paused by itself resumes.
      void Promise.all([budgetMessages.applied(), agents.sent()]).then(
        () => gate.closed || root?.tellPaused(undefined),
      );
    },
  });
  onMessage<SteerMessage>(steerMessage, ignored, {
    description: 'Tell an agent something, which its model sees at its next iteration. {message, agent?, id?}',
    apply: ({ agent, ...message }) => agents.send(steerMessage, agent ?? ROOT_AGENT, message),
    reply: status.read,
  });
  onSignal<BlockedMessage>(blockedSignal, ignored, {
    description: 'From an agent: it cannot continue without a person',
    async apply(message) {
      await afterAllElse();
      gate.close(message);
    },
  });
  const budgetMessages = onBudgetMessages(run, {
    ignored,
    status,
    deadline,
    isBegun: () => root !== undefined,
    ceilings: () => ceilings,
  });
  onConfigure(kind, { run, execution, isBegun: () => root !== undefined });
  setHandler(defineQuery<RunState>(statusQuery), status.read, {
    description: 'How the run stands: status, limits, agents, tokens, cost, what is waited for',
  });
  ignoreOtherSignals(
    ignored,
    [pauseMessage, resumeMessage, setBudgetMessage, steerMessage, approveMessage, rejectMessage],
    [configureMessage],
  );

  const prepared = await kind
    .prepare({ run, execution, ...startingSchedule() }, status.setWaiting)
    .catch((error: unknown) => {
      status.fail(error);
      return failPlainly(error);
    });
  if ('skipped' in prepared) return skippedOutcome(run, startedAt, prepared.skipped);
  ({ ceilings, notifies = false } = prepared);
  deadline.set(prepared.limits.global_timeout * 1000);
  status.begin(prepared);

  const ended = await supervise(run, {
    execution,
    prepared,
    typed: kind.type === 'analyze',
    deadline,
    status,
    paused: () => gate.closed,
    onRoot: (agent) => (root = agent),
  });
  const approved = await approvePatch(prepared.limits, questions, ended);
  status.finish();
  const { outcome: known, failure } = outcomeOf({
    run,
    startedAt,
    limits: status.limits ?? undefined,
    ...ended,
    root: approved,
  });
  const outcome = await CancellationScope.nonCancellable(() =>
    runActivities({ summary: 'record the outcome' }).recordOutcome({
      execution,
      outcome: known,
      ...(ended.root.result === undefined ? { incomplete: true } : {}),
      ...(status.limits === null ? {} : { limits: status.limits }),
    }),
  );
  status.end(outcome, failure?.type);
  return closeRun(outcome, failure);
}

/** None where it cannot be told: then the clock has run all the time. */
async function workerAbsence(during: readonly Span[]): Promise<number> {
  try {
    const options = { summary: 'add up the time without a worker', scheduleToCloseTimeout: '60s' } as const;
    return await runActivities(options).workerAbsence({ during });
  } catch (error) {
    if (isCancellation(error)) throw error;
    return 0;
  }
}

interface Supervision {
  readonly execution: string;
  readonly prepared: PreparedRun;
  /** Its root agent gives the fields of a signature. */
  readonly typed: boolean;
  readonly deadline: ReturnType<typeof createDeadline>;
  readonly status: RunStatusKeeper;
  readonly paused: () => boolean;
  readonly onRoot: (root: StartedAgent) => void;
}

interface Supervised {
  readonly root: RootEnd;
  readonly stopped: Stopped | undefined;
  readonly used: BudgetReport['used'] | undefined;
}

/** Starts budget and root agent, and ends the agents at the deadline, when the run is cancelled, or its budget is gone. */
async function supervise(run: string, input: Supervision): Promise<Supervised> {
  const agents = new CancellationScope();
  let root: RootEnd | undefined;
  const budget = await startBudget(run, input.prepared);
  const work = CancellationScope.nonCancellable(() =>
    agents.run(async () => {
      root = await runRoot(run, input).then((result): RootEnd => ({ kind: 'completed', result }), failedRoot);
    }),
  );
  const watching = agents.run(() => input.status.watch(input.paused)).catch(() => undefined); // Until they are cancelled.
  let stopped: Stopped | undefined;
  try {
    const inTime = await input.deadline.until(() => root !== undefined || budget.ended);
    if (!inTime) stopped = { status: 'timed_out', failure: timedOut(input.status.limits ?? input.prepared.limits) };
    else if (root === undefined) stopped = { status: 'failed', failure: BUDGET_LOST };
  } catch (error) {
    if (!isCancellation(error)) throw error;
    stopped = { status: 'cancelled' };
  }
  if (stopped === undefined) await work;
  else {
    agents.cancel();
    await CancellationScope.nonCancellable(() => condition(() => root !== undefined, AGENTS_END_MS));
  }
  agents.cancel();
  await CancellationScope.nonCancellable(() => watching);
  const used = (await budget.end())?.used;
  return { used, root: root ?? { kind: 'failed', failure: NOT_ENDED }, stopped };
}

const NOT_ENDED = ownFailure('Agent.Failed', 'The agents did not end in time; what they had recorded is kept.');
const BUDGET_LOST = ownFailure('Run.BudgetLost', BUDGET_ENDED);

function timedOut({ global_timeout }: Pick<RunLimits, 'global_timeout'>): RunFailure {
  return ownFailure('Run.TimedOut', `The run reached its time limit of ${global_timeout} s (rlm.global_timeout).`);
}

function failedRoot(error: unknown): RootEnd {
  const failure = agentFailure(error);
  if (failure.kind === 'failed') return { kind: 'failed', failure, result: failure.result };
  if (failure.kind === 'unknown') return { kind: 'failed', failure: ownFailure('Agent.Failed', failure.message) };
  const type = failure.kind === 'cancelled' ? 'Agent.Cancelled' : 'Agent.Terminated';
  return { kind: 'failed', failure: ownFailure(type, `The root agent was ${failure.kind}.`) };
}

async function runRoot(run: string, { execution, prepared, typed, paused, onRoot }: Supervision): Promise<AgentResult> {
  const { limits } = prepared;
  const input: AgentInput = {
    execution,
    task: { ref: prepared.task },
    limits,
    idle_timeout: prepared.idle_timeout,
    queues: prepared.queues,
    ...(typed ? { typed } : {}),
    ...(prepared.fork === undefined ? {} : takingUp(prepared.task, prepared.fork)),
  };
  const rootId = agentWorkflowId(run, ROOT_AGENT);
  const { handle } = await startAgent(rootId, input, {
    summary: prepared.summary,
    isPaused: paused,
    onStarted: onRoot,
  });
  return cancelledByName(rootId, handle.result());
}

/** The root of a run that takes up another: it begins where the shared part ends. */
function takingUp(head: string, { iteration, started }: NonNullable<PreparedRun['fork']>): Partial<AgentInput> {
  const state = { head, iteration, usage: NO_USAGE, sandboxes: 0, started, totals: noTotals(0) };
  return { forkedAt: iteration, state };
}

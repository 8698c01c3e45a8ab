import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  defineQuery,
  defineUpdate,
  ParentClosePolicy,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
  isCancellation,
} from '@temporalio/workflow';
import { budgetLimits, type RunLimits } from '../domain/budget.ts';
import { configureProblem } from '../domain/check-configure.ts';
import type { AgentInput, AgentResult, PreparedRun, RunRequest, SkippedRun } from '../domain/contract.ts';
import { agentWorkflowId, budgetWorkflowId, ROOT_AGENT } from '../domain/ids.ts';
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
  type BudgetMessage,
  type RunState,
  type SteerMessage,
} from '../domain/messages.ts';
import type { Span } from '../domain/presence.ts';
import type { RunOutcome } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import { runActivities } from './activities.ts';
import { admittedLimits } from './admitted-limits.ts';
import { createAgentMessages } from './agent-messages.ts';
import { approvePatch } from './approve-patch.ts';
import { agentFailure } from './agent-end.ts';
import { deliver, setLimits, type budget, type BudgetReport } from './budget.ts';
import { createDeadline } from './deadline.ts';
import { failureMessage, failureType } from './failure-type.ts';
import {
  afterAllElse,
  createIgnoredMessages,
  ignoreOtherSignals,
  onMessage,
  onSignal,
  refusedUpdate,
} from './messages.ts';
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
import { startAgent, type AgentHandle } from './start-agent.ts';
import { cancelledByName, startChildReplacing } from './start-child.ts';
import { startingSchedule } from './starting-schedule.ts';
import { noTotals } from './sub-agents.ts';

/** Seconds that the agents get to end in after the deadline or a cancellation: with what follows, less than ten. */
const GRACE = 8;

/** What the kinds of runs differ by. */
export interface RunKind {
  readonly type: RunRequest['type'];
  /** As the run was started with it. */
  readonly input: RunRequest['input'];
  /** Execution whose data a run that is retried continues. */
  readonly from: string | undefined;
  /** The first activity: everything that must be right before anything is spent. */
  readonly prepare: (
    of: { readonly run: string; readonly execution: string; readonly schedule?: string },
    /** To be called with what it waits for, a phrase for a person. */
    onWaiting: (reason: string) => void,
  ) => Promise<PreparedRun | SkippedRun>;
  /** Its root agent gives the fields of a signature. */
  readonly typed?: boolean;
}

/** A run from its preparation to its outcome: budget, root agent, deadline, and what a person changes meanwhile. */
export async function superviseRun(kind: RunKind): Promise<RunOutcome> {
  const { workflowId: run, firstExecutionRunId } = workflowInfo();
  const execution = kind.from ?? firstExecutionRunId;
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
  let root: AgentHandle | undefined;
  let ceilings: RunLimits | undefined;
  let notifies = false;
  /** A person has paused one of the agents, not the run. */
  let isAgentPaused = false;
  // One after another: signals that are sent at the same time may overtake each other.
  let budgetsSet = Promise.resolve();
  const tellRoot = (message: string): void => {
    root?.signal(message).catch(() => undefined); // It may just have ended.
  };

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
      if (cause !== undefined) return tellRoot(pauseMessage);
      // A command that is given again says resume whether the run is paused or not: then nobody needs to hear of it.
      if (!wasClosed && !isAgentPaused) return;
      isAgentPaused = false;
      // Limits that were sent before count before the agents ask for more.
      void budgetsSet.then(() => gate.closed || tellRoot(resumeMessage));
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
  const setBudget = async (message: BudgetMessage): Promise<void> => {
    await condition(() => root !== undefined); // The budget is there then.
    const { limits } = status;
    if (limits === null || ceilings === undefined) return;
    if (message.max_cost !== undefined && limits.max_cost === undefined)
      ignored.add('max_cost was ignored: the run began without rlm.max_cost, so what it spends is not counted.');
    // The budget checks the grant itself, because anybody could send it this signal.
    const [admitted] = await Promise.all([
      admittedLimits(message, { ceilings, limits }),
      deliver(budgetWorkflowId(run), setLimits, [message]),
    ]);
    const { max_cost, ...others } = admitted;
    // A limit that nothing counts must not be shown as one.
    const changes = limits.max_cost === undefined || max_cost === undefined ? others : { ...others, max_cost };
    for (const [name, value] of Object.entries(changes)) {
      const asked = message[name as keyof RunLimits];
      if (asked !== undefined && value < asked)
        ignored.add(
          `${name} is now ${value}, not ${asked}: more takes rlm budget, with the state folder of the run's worker.`,
        );
    }
    status.setLimits(changes);
    if (changes.global_timeout !== undefined) deadline.set(changes.global_timeout * 1000);
  };
  onMessage<BudgetMessage>(setBudgetMessage, ignored, {
    description:
      'Change what the run may spend. {max_sandboxes?, max_llm_calls?, max_cost?, global_timeout?, id?}; what is left out stays',
    apply(message) {
      const set = budgetsSet.then(() => setBudget(message));
      // One that cannot be applied holds up none after it.
      budgetsSet = set.catch(() => undefined);
      return set;
    },
    reply: status.read,
  });
  setHandler(
    defineUpdate<void, [RunRequest['input']]>(configureMessage),
    async (given) => {
      await condition(() => root !== undefined); // What was prepared is recorded then.
      const request = { type: kind.type, input: given } as RunRequest;
      await runActivities({ summary: 'change the configuration' })
        .configureRun({ run, execution, ...request })
        .catch(failPlainly);
    },
    {
      description:
        'Ask models otherwise from the next call on. {config: {model: {...}}}; what else the input of the start has may be given as it was',
      validator(given) {
        const problem = configureProblem(kind.type, { ...kind.input }, given);
        if (problem !== undefined) throw refusedUpdate(configureMessage, problem);
      },
    },
  );
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
    typed: kind.typed,
    deadline,
    status,
    paused: () => gate.closed,
    onRoot: (handle) => (root = handle),
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

/** A caller that awaits the run, or its update, sees what to fix, not that an activity failed. */
function failPlainly(error: unknown): never {
  const type = failureType(error);
  throw type === undefined || isCancellation(error)
    ? error
    : ApplicationFailure.nonRetryable(failureMessage(error), type);
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
  readonly typed: boolean | undefined;
  readonly deadline: ReturnType<typeof createDeadline>;
  readonly status: RunStatusKeeper;
  readonly paused: () => boolean;
  readonly onRoot: (root: AgentHandle) => void;
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
    await CancellationScope.nonCancellable(() => condition(() => root !== undefined, `${GRACE}s`));
  }
  agents.cancel();
  await CancellationScope.nonCancellable(() => watching);
  const used = (await budget.end())?.used;
  return { used, root: root ?? { kind: 'failed', failure: NOT_ENDED }, stopped };
}

const NOT_ENDED = ownFailure('Agent.Failed', 'The agents did not end in time; what they had recorded is kept.');
const BUDGET_LOST = ownFailure(
  'Run.BudgetLost',
  'The workflow that counts the budget of this run has ended, so nothing more can be granted.',
);

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
    ...(typed === undefined ? {} : { typed }),
    ...(prepared.fork === undefined ? {} : takingUp(prepared.task, prepared.fork)),
  };
  const rootId = agentWorkflowId(run, ROOT_AGENT);
  const root = await startAgent(rootId, input, { summary: prepared.summary, isPaused: paused, onStarted: onRoot });
  return cancelledByName(rootId, root.result());
}

/** The root of a run that takes up another: it begins where the shared part ends. */
function takingUp(head: string, { iteration, started }: NonNullable<PreparedRun['fork']>): Partial<AgentInput> {
  const state = { head, iteration, usage: NO_USAGE, sandboxes: 0, started, totals: noTotals(0) };
  return { forkedAt: iteration, state };
}

interface RunBudget {
  /** Also when somebody ended it by hand. */
  readonly ended: boolean;
  /** Ends it, and waits for that. Undefined where it could not say what was used. */
  end(): Promise<BudgetReport | undefined>;
}

/** Before the agents, which may ask it at once. It lives until they have ended, also while they are cancelled. */
async function startBudget(run: string, { limits, ceilings }: PreparedRun): Promise<RunBudget> {
  const workflowId = budgetWorkflowId(run);
  const scope = new CancellationScope({ cancellable: false });
  const start = (): Promise<ChildWorkflowHandle<typeof budget>> =>
    startChild<typeof budget>('budget', {
      workflowId,
      args: [{ limits: budgetLimits(limits), ceilings: budgetLimits(ceilings) }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: 'what the run may still spend',
    });
  const handle = await scope.run(() =>
    startChildReplacing(workflowId, start, { cancel: [agentWorkflowId(run, ROOT_AGENT)] }),
  );
  let ended = false;
  const result = scope
    .run(() => cancelledByName(workflowId, handle.result()))
    .catch(() => undefined)
    .finally(() => (ended = true));
  return {
    get ended() {
      return ended;
    },
    async end() {
      scope.cancel();
      return CancellationScope.nonCancellable(() => result);
    },
  };
}

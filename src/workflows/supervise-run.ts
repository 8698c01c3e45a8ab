import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  defineQuery,
  defineSignal,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { budgetLimits, type BudgetLimits } from '../domain/budget.ts';
import type { AgentInput, AgentResult, AgentWorkflow, PreparedRun, Totals } from '../domain/contract.ts';
import { agentWorkflowId, budgetWorkflowId, ROOT_AGENT } from '../domain/ids.ts';
import {
  blockedSignal,
  setBudgetMessage,
  statusQuery,
  type BlockedMessage,
  type BudgetMessage,
  type RunState,
} from '../domain/messages.ts';
import type { RunOutcome, RunStatus } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import { runActivities } from './activities.ts';
import { admittedLimits } from './admitted-limits.ts';
import { deliver, setLimits, type budget } from './budget.ts';
import { createDeadline } from './deadline.ts';
import { failureMessage, failureType, isCancelled } from './failure-type.ts';
import { createMessageFilter } from './message-filter.ts';
import { createPauseGate, pauseSignal, resumeSignal } from './pause-gate.ts';
import { cancelledByName, startChildReplacing } from './start-child.ts';

/** Seconds that the agents get to end in after the deadline or a cancellation: with what follows, less than ten. */
const GRACE = 8;

/** What the kinds of runs differ by. */
export interface RunKind {
  /** The first activity: everything that must be right before anything is spent. */
  readonly prepare: (of: { readonly run: string; readonly execution: string }) => Promise<PreparedRun>;
  /** Why there is nothing, when it was cancelled so early. */
  readonly cancelled: string;
  /** Its root agent gives the fields of a signature. */
  readonly typed?: boolean;
}

/** A run from its preparation to its outcome: budget, root agent, deadline, and what a person changes meanwhile. */
export async function superviseRun(kind: RunKind): Promise<RunOutcome> {
  const { workflowId: run, firstExecutionRunId: execution } = workflowInfo();
  const startedAt = Date.now();
  const state: { -readonly [Field in 'status' | 'reason' | 'failure']: RunState[Field] } = {
    status: 'starting',
    reason: null,
    failure: null,
  };
  let root: ChildWorkflowHandle<AgentWorkflow> | undefined;
  let limits: BudgetLimits | undefined;
  let ceilings: BudgetLimits | undefined;

  const gate = createPauseGate(false, (cause) => {
    const open = state.status === 'starting' || state.status === 'running';
    if (cause !== undefined && open) state.status = 'paused';
    if (cause === undefined && state.status === 'paused') state.status = 'running';
    const who = cause?.agent === undefined ? '' : `agent ${cause.agent}: `;
    state.reason = cause === undefined ? null : `${who}${cause.reason}`;
    state.failure = cause?.failure ?? null;
    setCurrentDetails(state.reason === null ? state.status : `${state.status}: ${state.reason}`);
    root?.signal(cause === undefined ? resumeSignal : pauseSignal).catch(() => undefined); // It may just have ended.
  });
  setHandler(defineSignal<[BlockedMessage?]>(blockedSignal), (message) => {
    // Also by hand: without a reason it would be no pause.
    if (typeof message?.reason === 'string') gate.close(message);
  });
  const setBudget = async (message: BudgetMessage): Promise<void> => {
    await condition(() => root !== undefined); // The budget is there then.
    if (limits === undefined || ceilings === undefined) return;
    // The budget asks for itself: it is sent the message as it came, which it could have been sent by anybody.
    const [changes] = await Promise.all([
      admittedLimits(message, { ceilings, limits }),
      deliver(budgetWorkflowId(run), setLimits, [message]),
    ]);
    limits = { ...limits, ...changes };
  };
  // One after another: signals that are sent at the same time may overtake each other.
  let budgetsSet = Promise.resolve();
  const isNewBudget = createMessageFilter();
  setHandler(defineSignal<[BudgetMessage]>(setBudgetMessage), (message) => {
    if (isNewBudget(message)) budgetsSet = budgetsSet.then(() => setBudget(message));
    return budgetsSet;
  });
  const deadline = createDeadline(() => gate.closed);
  setHandler(defineQuery<RunState>(statusQuery), () => ({
    status: state.status,
    reason: state.reason,
    failure: state.failure,
    remaining_ms: deadline.remaining,
    execution,
  }));

  const prepared = await kind.prepare({ run, execution }).catch((error: unknown) => {
    if (isCancelled(error)) return undefined;
    // The awaiting caller sees what to fix, not that an activity failed.
    const type = failureType(error);
    throw type === undefined ? error : ApplicationFailure.nonRetryable(failureMessage(error), type);
  });
  if (prepared === undefined) {
    const result = { failure: kind.cancelled };
    state.status = 'cancelled';
    return outcomeOf({ run, startedAt, limits, result, stopped: 'cancelled' });
  }
  ({ limits, ceilings } = prepared);
  deadline.set(prepared.limits.global_timeout * 1000);
  setCurrentDetails(prepared.summary);
  if (state.status === 'starting') state.status = 'running';

  const { result, stopped } = await supervise(run, {
    execution,
    prepared,
    typed: kind.typed,
    deadline,
    paused: () => gate.closed,
    onRoot: (handle) => (root = handle),
  });
  state.status = 'finishing';
  const outcome = await CancellationScope.nonCancellable(() =>
    runActivities({ summary: 'record the outcome' }).recordOutcome({
      execution,
      outcome: outcomeOf({ run, startedAt, limits, result, stopped }),
    }),
  );
  state.status = outcome.status;
  setCurrentDetails(`${outcome.status}: ${outcome.answer ?? outcome.error ?? 'no answer'}`);
  return outcome;
}

interface Supervision {
  readonly execution: string;
  readonly prepared: PreparedRun;
  readonly typed: boolean | undefined;
  readonly deadline: ReturnType<typeof createDeadline>;
  readonly paused: () => boolean;
  readonly onRoot: (root: ChildWorkflowHandle<AgentWorkflow>) => void;
}

interface Supervised {
  readonly result: AgentResult | { readonly failure: string };
  readonly stopped: 'timed_out' | 'cancelled' | undefined;
}

/** Starts budget and root agent, and ends the agents at the deadline or when the run is cancelled. */
async function supervise(run: string, input: Supervision): Promise<Supervised> {
  const scope = new CancellationScope();
  let result: Supervised['result'] | undefined;
  const work = CancellationScope.nonCancellable(() =>
    scope.run(async () => {
      result = await runRoot(run, input).catch((error: unknown) => ({
        failure: isCancelled(error)
          ? 'the run was ended before its agents had begun'
          : `the root agent did not end by itself: ${failureMessage(error)}`,
      }));
    }),
  );
  let stopped: Supervised['stopped'];
  try {
    const inTime = await input.deadline.until(() => result !== undefined);
    if (!inTime) stopped = 'timed_out';
  } catch (error) {
    if (!isCancelled(error)) throw error;
    stopped = 'cancelled';
  }
  if (stopped === undefined) await work;
  else {
    scope.cancel();
    await CancellationScope.nonCancellable(() => condition(() => result !== undefined, `${GRACE}s`));
  }
  return { result: result ?? { failure: 'the agents did not end in time; what they had recorded is kept' }, stopped };
}

async function runRoot(run: string, { execution, prepared, typed, paused, onRoot }: Supervision): Promise<AgentResult> {
  const { limits } = prepared;
  await startBudget(run, prepared);
  const input: AgentInput = {
    execution,
    task: { ref: prepared.task },
    limits,
    queues: prepared.queues,
    ...(paused() ? { paused: true } : {}),
    ...(typed === undefined ? {} : { typed }),
  };
  const rootId = agentWorkflowId(run, ROOT_AGENT);
  const root = await startChildReplacing(rootId, () =>
    startChild<AgentWorkflow>('agent', {
      workflowId: rootId,
      args: [input],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: prepared.summary,
    }),
  );
  onRoot(root);
  // What was said while it was being started has not reached it.
  if (paused() !== (input.paused ?? false)) {
    root.signal(paused() ? pauseSignal : resumeSignal).catch(() => undefined); // It may just have ended.
  }
  return cancelledByName(rootId, root.result());
}

/** Before the agents, which may ask it at once. It lives until the run has ended, also while the agents are cancelled. */
async function startBudget(run: string, { limits, ceilings }: PreparedRun): Promise<void> {
  const workflowId = budgetWorkflowId(run);
  const start = (): Promise<unknown> =>
    startChild<typeof budget>('budget', {
      workflowId,
      args: [{ limits: budgetLimits(limits), ceilings }],
      // It has nothing to clean up, and there may be no worker left that could end it.
      parentClosePolicy: ParentClosePolicy.TERMINATE,
    });
  await CancellationScope.nonCancellable(() =>
    startChildReplacing(workflowId, start, { cancel: [agentWorkflowId(run, ROOT_AGENT)] }),
  );
}

function outcomeOf(input: {
  run: string;
  startedAt: number;
  limits: BudgetLimits | undefined;
  result: Supervised['result'];
  stopped: Supervised['stopped'];
}): RunOutcome {
  const { run, result, stopped } = input;
  const base = { run_id: run, execution_time: Math.round(Date.now() - input.startedAt) / 1000 };
  if ('failure' in result) {
    return {
      ...base,
      status: stopped ?? 'failed',
      answer: null,
      answer_truncated: false,
      answer_ref: null,
      answer_source: 'none',
      patch_ref: null,
      error: result.failure,
      notes: [],
      agents: 1,
      max_depth: 0,
      iterations: 0,
      sandboxes: 0,
      usage: NO_USAGE,
    };
  }
  const { totals } = result;
  return {
    ...base,
    status: runStatus(result, stopped),
    answer: result.answer ?? null,
    answer_truncated: result.answer_truncated ?? false,
    answer_ref: result.answer_ref ?? null,
    answer_source: result.answer_source ?? 'none',
    patch_ref: result.patch_ref ?? null,
    error: result.error ?? null,
    notes: [...(result.notes ?? []), ...refusals(totals.refused, input.limits)],
    agents: totals.agents,
    max_depth: totals.depth,
    iterations: totals.iterations,
    sandboxes: totals.sandboxes,
    usage: totals.usage,
  };
}

/** An answer may be less than it could have been. */
function refusals({ prompts, tasks }: Totals['refused'], limits: BudgetLimits | undefined): string[] {
  if (limits === undefined) return [];
  const of = (count: number, what: string, limit: 'max_llm_calls' | 'max_sandboxes'): string[] => {
    const why = `the budget was used up (rlm.${limit}: ${limits[limit]})`;
    return count === 0 ? [] : [`${count} ${what} got an error instead of an answer: ${why}.`];
  };
  return [
    ...of(prompts, prompts === 1 ? 'prompt of llm_query' : 'prompts of llm_query', 'max_llm_calls'),
    ...of(tasks, tasks === 1 ? 'task for a sub-agent' : 'tasks for sub-agents', 'max_sandboxes'),
  ];
}

/** A root that had finished all the same when the deadline struck has finished. */
function runStatus(result: AgentResult, stopped: Supervised['stopped']): RunStatus {
  return result.status === 'completed' ? 'completed' : (stopped ?? result.status);
}

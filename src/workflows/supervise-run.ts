import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { AgentInput, AgentResult, PreparedRun } from '../domain/contract.ts';
import { agentWorkflowId, ledgerWorkflowId, ROOT_AGENT } from '../domain/ids.ts';
import { openLedger, reserve, type Lease, type LedgerLimits } from '../domain/ledger.ts';
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
import { packLease, packLimits, unpackTotals, type Refused } from '../domain/wire.ts';
import type { agent } from './agent.ts';
import { runActivities } from './activities.ts';
import { createDeadline } from './deadline.ts';
import { failureMessage, failureType, isCancelled } from './failure-type.ts';
import { setLimits, type ledger } from './ledger.ts';
import { createPauseGate, pauseSignal, resumeSignal } from './pause-gate.ts';
import { cancelledByName, startOnceFree } from './start-child.ts';

/** Seconds that the agents get to end in after the deadline or a cancellation: with what follows, less than ten. */
const GRACE = 8;

/** What the kinds of runs differ by. */
export interface RunKind {
  /** The first activity: everything that must be right before anything is spent. */
  readonly prepare: (of: { readonly run: string; readonly execution: string }) => Promise<PreparedRun>;
  /** Why there is nothing, when it was cancelled so early. */
  readonly cancelled: string;
  /** Its root agent gives the fields of a signature. */
  readonly typed?: true;
}

/** A run from its preparation to its outcome: ledger, root agent, deadline, and what a person changes meanwhile. */
export async function superviseRun(kind: RunKind): Promise<RunOutcome> {
  const { workflowId: run, firstExecutionRunId: execution } = workflowInfo();
  const startedAt = Date.now();
  const state: { status: RunState['status']; reason: string | null } = { status: 'starting', reason: null };
  let root: ChildWorkflowHandle<typeof agent> | undefined;

  const gate = createPauseGate(false, (closed, message) => {
    const open = state.status === 'starting' || state.status === 'running';
    if (closed && open) state.status = 'paused';
    if (!closed && state.status === 'paused') state.status = 'running';
    state.reason = closed ? (message?.reason ?? 'paused by a person') : null;
    setCurrentDetails(state.reason === null ? state.status : `${state.status}: ${state.reason}`);
    root?.signal(closed ? pauseSignal : resumeSignal).catch(() => undefined); // It may just have ended.
  });
  setHandler(defineSignal<[BlockedMessage]>(blockedSignal), ({ agent: id, reason }) =>
    gate.close({ reason: `agent ${id}: ${reason}` }),
  );
  const setBudget = async ({ max_sandboxes, max_llm_calls, max_cost }: BudgetMessage): Promise<void> => {
    await condition(() => root !== undefined); // The ledger is there then.
    const changes: Partial<LedgerLimits> = {
      ...(max_sandboxes === undefined ? {} : { sandboxes: max_sandboxes }),
      ...(max_llm_calls === undefined ? {} : { llm_calls: max_llm_calls }),
      ...(max_cost === undefined ? {} : { usd: max_cost }),
    };
    const ledgerHandle = getExternalWorkflowHandle(ledgerWorkflowId(run));
    await ledgerHandle.signal(setLimits, changes).catch(() => undefined); // It has just ended.
  };
  // One after another: signals that are under way together may overtake each other.
  let budgetsSet = Promise.resolve();
  setHandler(defineSignal<[BudgetMessage]>(setBudgetMessage), (message) => {
    budgetsSet = budgetsSet.then(() => setBudget(message));
    return budgetsSet;
  });
  const deadline = createDeadline(() => gate.closed);
  setHandler(defineQuery<RunState>(statusQuery), () => ({
    status: state.status,
    reason: state.reason,
    remaining_ms: deadline.remaining,
    execution,
  }));

  const prepared = await kind.prepare({ run, execution }).catch((error: unknown) => {
    if (isCancelled(error)) return undefined;
    // Said plainly: whoever awaits the run sees what to mend, not that an activity failed.
    const type = failureType(error);
    throw type === undefined ? error : ApplicationFailure.nonRetryable(failureMessage(error), type);
  });
  if (prepared === undefined) {
    const result = { failure: kind.cancelled };
    state.status = 'cancelled';
    return outcomeOf({ run, startedAt, result, stopped: 'cancelled' });
  }
  deadline.set(prepared.global_timeout * 1000);
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
      outcome: outcomeOf({ run, startedAt, result, stopped }),
    }),
  );
  state.status = outcome.status;
  setCurrentDetails(`${outcome.status}: ${outcome.answer ?? outcome.error ?? 'no answer'}`);
  return outcome;
}

interface Supervision {
  readonly execution: string;
  readonly prepared: PreparedRun;
  readonly typed: true | undefined;
  readonly deadline: ReturnType<typeof createDeadline>;
  readonly paused: () => boolean;
  readonly onRoot: (root: ChildWorkflowHandle<typeof agent>) => void;
}

interface Supervised {
  readonly result: AgentResult | { readonly failure: string };
  readonly stopped: 'timed_out' | 'cancelled' | undefined;
}

/** Starts ledger and root agent, and ends the agents at the deadline or when the run is cancelled. */
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
  const everything: Lease = {
    sandboxes: limits.max_sandboxes,
    llm_calls: limits.max_llm_calls,
    usd: limits.max_cost ?? 0,
  };
  const ledgerLimits: LedgerLimits = {
    sandboxes: limits.max_sandboxes,
    llm_calls: limits.max_llm_calls,
    ...(limits.max_cost === undefined ? {} : { usd: limits.max_cost }),
  };
  // The root begins with all there is; the ledger recalls what it does not need when another agent asks.
  const opened = reserve(openLedger(ledgerLimits), everything);
  const input: AgentInput = {
    execution,
    task: { ref: prepared.task },
    lease: packLease(opened.grant),
    limits: packLimits(limits),
    ...(paused() ? { paused: true } : {}),
    ...(typed === undefined ? {} : { typed }),
  };
  const ledgerId = ledgerWorkflowId(run);
  const rootId = agentWorkflowId(run, ROOT_AGENT);
  const [, root] = await Promise.all([
    startOnceFree(ledgerId, () =>
      startChild<typeof ledger>('ledger', {
        workflowId: ledgerId,
        args: [{ ledger: opened.ledger, recallable: true }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      }),
    ),
    startOnceFree(rootId, () =>
      startChild<typeof agent>('agent', {
        workflowId: rootId,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: prepared.summary,
      }),
    ),
  ]);
  onRoot(root);
  // What was said while it was being started has not reached it.
  if (paused() !== (input.paused ?? false)) {
    root.signal(paused() ? pauseSignal : resumeSignal).catch(() => undefined); // It may just have ended.
  }
  return limits.rebuild === true ? cancelledByName(rootId, root.result()) : root.result();
}

function outcomeOf(input: {
  run: string;
  startedAt: number;
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
  const totals = unpackTotals(result.totals);
  return {
    ...base,
    status: runStatus(result, stopped),
    answer: result.answer ?? null,
    answer_ref: result.full_answer_ref ?? null,
    answer_source: result.answer_source ?? 'none',
    patch_ref: result.patch_ref ?? null,
    error: result.error ?? null,
    notes: [...(result.notes ?? []), ...refusals(totals.refused)],
    agents: totals.agents,
    max_depth: totals.depth,
    iterations: totals.iterations,
    sandboxes: totals.sandboxes,
    usage: totals.usage,
  };
}

/** An answer may be less than it could have been. */
function refusals(refused: Refused | undefined): string[] {
  if (refused === undefined) return [];
  const { prompts, tasks } = refused;
  const of = (count: number, what: string, limit: string): string[] =>
    count === 0 ? [] : [`${count} ${what} got an error instead of an answer: the budget was used up (${limit}).`];
  return [
    ...of(prompts, prompts === 1 ? 'prompt of llm_query' : 'prompts of llm_query', 'rlm.max_llm_calls'),
    ...of(tasks, tasks === 1 ? 'task for a sub-agent' : 'tasks for sub-agents', 'rlm.max_sandboxes'),
  ];
}

/** A root that had finished all the same when the deadline struck has finished. */
function runStatus(result: AgentResult, stopped: Supervised['stopped']): RunStatus {
  return result.status === 'completed' ? 'completed' : (stopped ?? result.status);
}

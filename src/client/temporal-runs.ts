import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  defineSearchAttributeKey,
  SearchAttributeType,
  TerminatedFailure,
} from '@temporalio/common';
import {
  pauseMessage,
  resumeMessage,
  configureMessage,
  setBudgetMessage,
  statusQuery,
  type AgentStatusReply,
  type BudgetMessage,
  type ControlMessage,
  type DecisionMessage,
  type RunState,
  type SteerMessage,
} from '../domain/messages.ts';
import { listWorkflows } from '../encryption/list-workflows.ts';
import type { RunRequest } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { agentWorkflowId, scheduleOfOccurrence, splitAgentWorkflowId } from '../domain/ids.ts';
import type { RunOutcome } from '../domain/records.ts';
import { SCHEDULED_BY } from '../domain/search-attributes.ts';
import { dataExecution } from '../temporal/data-execution.ts';
import { pendingFailuresOf } from '../temporal/pending-failures.ts';
import type { RunOrigin } from './run-arguments.ts';
import type { PendingFailure } from './pending-failure.ts';

const SCHEDULE = defineSearchAttributeKey(SCHEDULED_BY, SearchAttributeType.KEYWORD);
const WORKFLOW_TYPES = "WorkflowType IN ('investigate', 'analyze')";

/** The workflow that a run begins with. */
export type WorkflowStart = RunRequest;

export interface StartedRun {
  readonly run: string;
  /** Id under which its data is kept: of its first execution, or of the one that it retries. */
  readonly execution: string;
  /** Of its workflow. */
  readonly runId: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** False where a run of this id was there already. */
  readonly isNew: boolean;
  /** Of the arguments it was started with (`RunIdentity`); undefined for a run that something else started. */
  readonly digest: string | undefined;
  readonly parts: Readonly<Record<string, string>> | undefined;
  readonly origin: RunOrigin | undefined;
}

/** What is kept beside a run in Temporal, for those who come back to it. */
export interface RunMemo {
  readonly digest: string;
  readonly parts: Readonly<Record<string, string>>;
  readonly origin?: RunOrigin;
  /** Of a run that is retried: where its data is. */
  readonly execution?: string;
}

/** What Temporal knows of a run without asking a worker. */
export interface TemporalRun extends Omit<StartedRun, 'isNew'> {
  readonly status: 'running' | 'ended' | 'cancelled' | 'failed' | 'terminated';
  /** The schedule that started it, or the batch that it is of. */
  readonly schedule?: string;
}

/** How a run's workflow ended. Completed and failed ones say their outcome; that of a cancelled one is in the blob store. */
export type RunEnd =
  | { readonly outcome: RunOutcome }
  | { readonly status: 'cancelled' | 'failed' | 'terminated'; readonly error: string };

/** A message whose sender wants to know what came of it. */
export type PersonMessage =
  | ({ readonly name: 'pause' | 'resume' } & Omit<ControlMessage, 'id'>)
  | ({ readonly name: 'setBudget' } & BudgetMessage)
  | ({ readonly name: 'steer' } & Omit<SteerMessage, 'id'>)
  | ({ readonly name: 'approve' | 'reject' } & Omit<DecisionMessage, 'id'>);

export type Told =
  /** With the status of the run after it. */
  | { readonly kind: 'accepted'; readonly state: RunState }
  /** No worker answers: it takes effect when one does. */
  | { readonly kind: 'queued' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** No such run is running. */
  | { readonly kind: 'ended' };

/** Runs as Temporal workflows: starts, queries, signals and awaits them. Holds no state. */
export interface TemporalRuns {
  /** Starts a run, or finds the one of this id, whether it is running or has ended. */
  start(input: {
    run: string;
    memo: RunMemo;
    summary: string;
    start: WorkflowStart;
    /** Status of the ended run of this id that makes room for it; default: an id is used once. */
    replaces?: TemporalRun['status'];
  }): Promise<StartedRun>;
  /** Undefined where Temporal knows no such run. */
  describe(run: string): Promise<TemporalRun | undefined>;
  /** Answered by a worker: undefined when none answers in time, or there is no such run. */
  state(run: string, timeoutMs?: number): Promise<RunState | undefined>;
  /** Whether a worker is at work on the run: it answers within four seconds, and where nobody polls no one is waited for. */
  hasWorker(run: string): Promise<boolean>;
  /**
   * Both apply once for each call.
   *
   * @param agent - this one only, with the agents below it. Default: the whole run
   * @returns false where no such run is running
   */
  pause(run: string, reason?: string, agent?: string): Promise<boolean>;
  resume(run: string, agent?: string): Promise<boolean>;
  /** Sends a message of a person. Where a worker answers, what came of it is known. */
  tell(run: string, message: PersonMessage): Promise<Told>;
  /** Ends the run at once, without a result; its agents clean up. @returns false where no such run is running */
  discard(run: string): Promise<boolean>;
  /** New limits of what the run may spend; `grantBudget` makes the message. @returns false where no such run is running */
  setBudget(run: string, message: BudgetMessage): Promise<boolean>;
  /**
   * Gives a run another configuration, by a worker that must be there.
   *
   * @throws TypedError `Input.Invalid`, `Input.NotAllowed` where it is refused
   */
  configure(run: string, input: WorkflowStart['input']): Promise<void>;
  /** @returns false where no such run is running */
  cancel(run: string): Promise<boolean>;
  /** Waits for the end, through outages of the server. */
  end(run: string, options: { runId?: string; signal: AbortSignal; onOutage?: () => void }): Promise<RunEnd>;
  list(limit: number): Promise<TemporalRun[]>;
  /** Open runs of this client's task queue. */
  listOpen(limit: number): Promise<TemporalRun[]>;
  /**
   * Has Temporal delete what it keeps of a run that has ended, and of its agents. The server does so in its own time:
   * until then the id is taken, and the run is still listed.
   *
   * @returns how many workflows
   */
  forget(run: string): Promise<number>;
  /** Agents of a run that have not ended; those of a run that was ended early may still be cleaning up. */
  countOpenAgents(run: string): Promise<number>;
  /**
   * Those of the agents that are paused: `pausing` while what they had begun continues. One that does not answer is left
   * out.
   */
  pausedAgents(run: string, agents: readonly string[]): Promise<ReadonlyMap<string, 'paused' | 'pausing'>>;
  /** Activities that have failed and are being retried, such as calls of a model that cannot be reached. */
  pendingFailures(run: string, agents: readonly string[]): Promise<PendingFailure[]>;
}

/** Milliseconds in which a worker answers that is to apply a message. */
const WORKER_ANSWER_MS = 2500;
/** Milliseconds in which a living worker answers, also one that has to replay the run first. */
const ANSWER_TIME = 5000;
const RETRY_PAUSE = 500;
/** Milliseconds in which a worker that may be busy answers for a run. */
const WORKER_ANSWERS_MS = 4000;
/** `TASK_QUEUE_TYPE_WORKFLOW` of the API. */
const WORKFLOWS = 1;

export function createTemporalRuns({ client, taskQueue }: { client: Client; taskQueue: string }): TemporalRuns {
  const { workflow } = client;

  async function describe(run: string): Promise<TemporalRun | undefined> {
    try {
      return temporalRun(await workflow.getHandle(run).describe());
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async function state(run: string, timeoutMs = ANSWER_TIME): Promise<RunState | undefined> {
    try {
      return await client.withDeadline(Date.now() + timeoutMs, () =>
        workflow.getHandle(run).query<RunState>(statusQuery),
      );
    } catch {
      // No worker, no such run, or a server that is away: for all of them there is no answer now.
      return undefined;
    }
  }

  async function list(query: string, limit: number): Promise<TemporalRun[]> {
    const runs = new Map<string, TemporalRun>();
    for await (const execution of listWorkflows(client, query)) {
      // One that was retried, or reset, has executions that ended before: they come after the one that counts.
      if (!runs.has(execution.workflowId)) runs.set(execution.workflowId, temporalRun(execution));
      if (runs.size >= limit) break;
    }
    return [...runs.values()];
  }

  /** What is undefined is left out. */
  const control = (run: string, name: string, message: object): Promise<boolean> =>
    send(() => workflow.getHandle(run).signal(name, { id: randomUUID(), ...JSON.parse(JSON.stringify(message)) }));

  return {
    describe,

    async start({ run, memo, summary, start, replaces }) {
      const attempt = randomUUID();
      try {
        const handle = await workflow.start(start.type, {
          workflowId: run,
          taskQueue,
          args: [start.input],
          workflowIdReusePolicy: replaces === undefined ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'USE_EXISTING',
          memo: { ...memo, attempt },
          staticSummary: summary,
        });
        const description = await handle.describe();
        return { ...temporalRun(description), isNew: description.memo?.['attempt'] === attempt };
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        const ended = await describe(run);
        if (ended === undefined) throw error;
        return { ...ended, isNew: false };
      }
    },

    state,

    async hasWorker(run) {
      const { pollers } = await client.workflowService.describeTaskQueue({
        namespace: client.options.namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: WORKFLOWS,
      });
      return pollers.length > 0 && (await state(run, WORKER_ANSWERS_MS)) !== undefined;
    },

    pause: (run, reason, agent) => control(run, pauseMessage, { reason, agent }),
    resume: (run, agent) => control(run, resumeMessage, { agent }),
    async tell(run, { name, ...message }) {
      const args = [{ id: randomUUID(), ...message }] as const;
      const handle = workflow.getHandle(run);
      // An update that nobody takes up would be waited for, and would be applied later all the same.
      if ((await state(run, WORKER_ANSWER_MS)) === undefined)
        return (await send(() => handle.signal(name, ...args))) ? { kind: 'queued' } : { kind: 'ended' };
      try {
        const after = await handle.executeUpdate<RunState, [object]>(name, { args: [...args] });
        return { kind: 'accepted', state: after };
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError) return { kind: 'refused', reason: deepestMessage(error) };
        if (error instanceof WorkflowNotFoundError) return { kind: 'ended' };
        throw error;
      }
    },
    async discard(run) {
      if ((await describe(run))?.status !== 'running') return false;
      return send(() => workflow.getHandle(run).terminate('cancelled without a result'));
    },
    setBudget: (run, message) => send(() => workflow.getHandle(run).signal<[BudgetMessage]>(setBudgetMessage, message)),
    async configure(run, input) {
      try {
        await workflow
          .getHandle(run)
          .executeUpdate<void, [WorkflowStart['input']]>(configureMessage, { args: [input] });
      } catch (error) {
        const { cause } = error instanceof WorkflowUpdateFailedError ? error : {};
        if (!(cause instanceof ApplicationFailure)) throw error;
        throw new TypedError(cause.type === 'Input.Invalid' ? 'Input.Invalid' : 'Input.NotAllowed', cause.message);
      }
    },
    async cancel(run) {
      // A server may accept this for a run that has ended.
      if ((await describe(run))?.status !== 'running') return false;
      return send(() => workflow.getHandle(run).cancel());
    },

    async end(run, { runId, signal, onOutage }) {
      for (;;) {
        try {
          const handle = workflow.getHandle<() => Promise<RunOutcome>>(run, runId);
          return { outcome: await untilAborted(handle.result(), signal) };
        } catch (error) {
          if (error instanceof WorkflowFailedError) return failedEnd(error);
          if (signal.aborted || error instanceof WorkflowNotFoundError || !isOutage(error)) throw error;
          // The server is away, and comes back: nothing of the run is lost meanwhile.
          onOutage?.();
          await pause(RETRY_PAUSE, signal);
        }
      }
    },

    async forget(run) {
      const namespace = client.options.namespace;
      let count = 0;
      const query = `WorkflowId = '${run}' OR WorkflowId STARTS_WITH '${run}/'`;
      for await (const { workflowId, runId } of listWorkflows(client, query)) {
        await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
        count += 1;
      }
      return count;
    },

    async countOpenAgents(run) {
      const query = `WorkflowId STARTS_WITH '${run}/' AND ExecutionStatus = 'Running'`;
      return (await workflow.count(query)).count;
    },

    async pausedAgents(run, agents) {
      const asked = agents.map(async (agent) => {
        const handle = workflow.getHandle(agentWorkflowId(run, agent));
        try {
          const { state: now } = await client.withDeadline(Date.now() + ANSWER_TIME, () =>
            handle.query<AgentStatusReply>(statusQuery),
          );
          if (now !== 'paused') return [];
          const { raw } = await handle.describe();
          return [[agent, (raw.pendingActivities ?? []).length === 0 ? 'paused' : 'pausing'] as const];
        } catch {
          return []; // It has just ended, or no worker is there.
        }
      });
      return new Map((await Promise.all(asked)).flat());
    },

    async pendingFailures(run, agents) {
      const found = await pendingFailuresOf(client)([run, ...agents.map((agent) => agentWorkflowId(run, agent))]);
      return found.map(({ workflowId, attempt, message }) => ({
        agent: workflowId === run ? undefined : splitAgentWorkflowId(workflowId).agent,
        attempt,
        message,
      }));
    },

    list: (limit) => list(WORKFLOW_TYPES, limit),
    listOpen: (limit) =>
      list(
        `${WORKFLOW_TYPES} AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue.replaceAll("'", "''")}'`,
        limit,
      ),
  };
}

/** @returns false where no such run is running */
async function send(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

type Described = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'status' | 'startTime' | 'memo' | 'typedSearchAttributes' | 'parentExecution'
> & {
  readonly raw: object;
};

function temporalRun(described: Described): TemporalRun {
  const { workflowId, runId, status, startTime, memo = {}, raw, typedSearchAttributes, parentExecution } = described;
  const { digest, parts, origin } = memo;
  const schedule = typedSearchAttributes.get(SCHEDULE) ?? scheduleOfOccurrence(parentExecution?.workflowId ?? '');
  return {
    run: workflowId,
    execution: dataExecution({ runId, memo, raw }),
    runId,
    status: STATUSES[status.name] ?? 'failed',
    startedAt: startTime.getTime(),
    ...(schedule === undefined ? {} : { schedule }),
    digest: typeof digest === 'string' ? digest : undefined,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by `start`
    ...({ parts, origin } as Pick<TemporalRun, 'parts' | 'origin'>),
  };
}

const STATUSES: Readonly<Record<string, TemporalRun['status']>> = {
  RUNNING: 'running',
  COMPLETED: 'ended',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
};

function failedEnd(error: WorkflowFailedError): RunEnd {
  const [outcome] = (error.cause instanceof ApplicationFailure ? (error.cause.details ?? []) : []) as (
    | RunOutcome
    | undefined
  )[];
  if (outcome?.status !== undefined) return { outcome };
  // What it had by then, if it had begun, is in the blob store.
  if (error.cause instanceof CancelledFailure) return { status: 'cancelled', error: 'The run was cancelled.' };
  if (error.cause instanceof TerminatedFailure) return { status: 'terminated', error: 'terminated in Temporal' };
  return { status: 'failed', error: deepestMessage(error) };
}

/** What went wrong, without "Activity task failed" and the like around it. */
function deepestMessage(error: Error): string {
  let deepest = error;
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest.message;
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(abortReason(signal));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}

/** The server is away or ends just now: also as the client wraps it. */
function isOutage(error: unknown): boolean {
  return error instanceof ServiceError || isGrpcServiceError(error);
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}

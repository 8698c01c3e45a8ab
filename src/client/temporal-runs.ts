import { randomUUID } from 'node:crypto';
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import {
  pauseMessage,
  resumeMessage,
  setBudgetMessage,
  statusQuery,
  type BudgetMessage,
  type ControlMessage,
  type RunState,
} from '../domain/messages.ts';
import type { AnalyzeInput, InvestigateInput } from '../domain/contract.ts';
import { agentWorkflowId, splitAgentWorkflowId } from '../domain/ids.ts';
import type { RunOutcome } from '../domain/records.ts';
import { pendingFailuresOf } from '../temporal/pending-failures.ts';
import type { PendingFailure } from './pending-failure.ts';

const WORKFLOW_TYPES = "WorkflowType IN ('investigate', 'analyze')";

/** The workflow that a run begins with. */
export type WorkflowStart =
  | { readonly type: 'investigate'; readonly input: InvestigateInput }
  | { readonly type: 'analyze'; readonly input: AnalyzeInput };

export interface StartedRun {
  readonly run: string;
  /** First execution id: its data is kept under it. */
  readonly execution: string;
  /** False where a run of this id was there already. */
  readonly isNew: boolean;
  /** Digest of the arguments it was started with; undefined for a run that something else started. */
  readonly digest: string | undefined;
}

/** What Temporal knows of a run without asking a worker. */
export interface TemporalRun {
  readonly run: string;
  readonly execution: string;
  readonly status: 'running' | 'ended' | 'cancelled' | 'failed' | 'terminated';
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly digest: string | undefined;
}

/** How a run's workflow ended. Completed and failed ones say their outcome; that of a cancelled one is in the blob store. */
export type RunEnd =
  | { readonly outcome: RunOutcome }
  | { readonly status: 'cancelled' | 'failed' | 'terminated'; readonly error: string };

/** Runs as Temporal workflows: starts, queries, signals and awaits them. Holds no state. */
export interface TemporalRuns {
  /** Starts a run, or finds the one of this id, whether it is running or has ended. */
  start(input: { run: string; digest: string; summary: string; start: WorkflowStart }): Promise<StartedRun>;
  /** Undefined where Temporal knows no such run. */
  describe(run: string): Promise<TemporalRun | undefined>;
  /** Answered by a worker: undefined when none answers in time, or there is no such run. */
  state(run: string, timeoutMs?: number): Promise<RunState | undefined>;
  /** Both apply once for each call. @returns false where no such run is running */
  pause(run: string, reason?: string): Promise<boolean>;
  resume(run: string): Promise<boolean>;
  /** New limits of what the run may spend; `grantBudget` makes the message. @returns false where no such run is running */
  setBudget(run: string, message: BudgetMessage): Promise<boolean>;
  /** @returns false where no such run is running */
  cancel(run: string): Promise<boolean>;
  /** Waits for the end, through outages of the server. */
  end(run: string, options: { execution?: string; signal: AbortSignal; onOutage?: () => void }): Promise<RunEnd>;
  list(limit: number): Promise<TemporalRun[]>;
  /** Agents of a run that have not ended; those of a run that was ended early may still be cleaning up. */
  countOpenAgents(run: string): Promise<number>;
  /** Activities that have failed and are being retried, such as calls of a model that cannot be reached. */
  pendingFailures(run: string, agents: readonly string[]): Promise<PendingFailure[]>;
}

/** Milliseconds in which a living worker answers, also one that has to replay the run first. */
const ANSWER_TIME = 5000;
const RETRY_PAUSE = 500;

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

  return {
    describe,

    async start({ run, digest, summary, start }) {
      const attempt = randomUUID();
      try {
        const handle = await workflow.start(start.type, {
          workflowId: run,
          taskQueue,
          args: [start.input],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowIdConflictPolicy: 'USE_EXISTING',
          memo: { digest, attempt },
          staticSummary: summary,
        });
        const description = await handle.describe();
        const isNew = description.memo?.['attempt'] === attempt;
        return { run, execution: handle.firstExecutionRunId, isNew, digest: digestOf(description) };
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        const ended = await describe(run);
        if (ended === undefined) throw error;
        return { run, execution: ended.execution, isNew: false, digest: ended.digest };
      }
    },

    async state(run, timeoutMs = ANSWER_TIME) {
      try {
        return await client.withDeadline(Date.now() + timeoutMs, () =>
          workflow.getHandle(run).query<RunState>(statusQuery),
        );
      } catch {
        // No worker, no such run, or a server that is away: for all of them there is no answer now.
        return undefined;
      }
    },

    pause: (run, reason) =>
      send(() =>
        workflow
          .getHandle(run)
          .signal<[ControlMessage]>(pauseMessage, { id: randomUUID(), ...(reason === undefined ? {} : { reason }) }),
      ),
    resume: (run) => send(() => workflow.getHandle(run).signal<[ControlMessage]>(resumeMessage, { id: randomUUID() })),
    setBudget: (run, message) => send(() => workflow.getHandle(run).signal<[BudgetMessage]>(setBudgetMessage, message)),
    async cancel(run) {
      // A server may accept this for a run that has ended.
      if ((await describe(run))?.status !== 'running') return false;
      return send(() => workflow.getHandle(run).cancel());
    },

    async end(run, { execution, signal, onOutage }) {
      for (;;) {
        try {
          const handle = workflow.getHandle<() => Promise<RunOutcome>>(run, execution);
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

    async countOpenAgents(run) {
      const query = `WorkflowId STARTS_WITH '${run}/' AND ExecutionStatus = 'Running'`;
      return (await workflow.count(query)).count;
    },

    async pendingFailures(run, agents) {
      const found = await pendingFailuresOf(client)([run, ...agents.map((agent) => agentWorkflowId(run, agent))]);
      return found.map(({ workflowId, attempt, message }) => ({
        agent: workflowId === run ? undefined : splitAgentWorkflowId(workflowId).agent,
        attempt,
        message,
      }));
    },

    async list(limit) {
      const runs: TemporalRun[] = [];
      for await (const execution of workflow.list({ query: WORKFLOW_TYPES })) {
        runs.push(temporalRun(execution));
        if (runs.length >= limit) break;
      }
      return runs;
    },
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

type Described = Pick<WorkflowExecutionDescription, 'workflowId' | 'runId' | 'status' | 'startTime' | 'memo'> & {
  readonly raw: WorkflowExecutionDescription['raw'] | WorkflowExecutionInfo['raw'];
};

function firstRunId(raw: Described['raw']): string | undefined {
  const info = 'workflowExecutionInfo' in raw ? raw.workflowExecutionInfo : raw;
  const id = info !== null && info !== undefined && 'firstRunId' in info ? info.firstRunId : undefined;
  return id === null || id === undefined || id === '' ? undefined : id;
}

function temporalRun(description: Described): TemporalRun {
  const { workflowId, runId, status, startTime, raw } = description;
  return {
    run: workflowId,
    // After a reset it keeps its first.
    execution: firstRunId(raw) ?? runId,
    status: STATUSES[status.name] ?? 'failed',
    startedAt: startTime.getTime(),
    digest: digestOf(description),
  };
}

const STATUSES: Readonly<Record<string, TemporalRun['status']>> = {
  RUNNING: 'running',
  COMPLETED: 'ended',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
};

function digestOf({ memo }: Pick<Described, 'memo'>): string | undefined {
  const digest = memo?.['digest'];
  return typeof digest === 'string' ? digest : undefined;
}

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
  const { setTimeout: delay } = await import('node:timers/promises');
  await delay(milliseconds, undefined, { signal });
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { errorMessage } from './domain/error-message.ts';
import { agentWorkflowId } from './domain/ids.ts';
import type { SandboxLabels, SandboxProvider } from './sandbox/provider.ts';
import { dataExecution } from './temporal/data-execution.ts';
import { sweep, type SweepResult } from './sandbox/sweep.ts';

/** Seconds between sweeps; a sandbox's lease is at least a minute. */
const SWEEP_INTERVAL = 120;

/** Whose sandboxes, and who knows of their agents. */
export interface ReaperScope {
  readonly client: Client;
  /** Identity of the cluster; with the namespace it says which sandboxes are ours. */
  readonly clusterId: string;
  readonly namespace: string;
  /** Those whose sandboxes are looked after now. */
  readonly providers: () => readonly SandboxProvider[];
}

export interface Sweeping {
  /** Resolves when a sweep under way has ended: the connection it asks over may be closed then. */
  stop(): Promise<void>;
}

/** Milliseconds that stopping waits for a sweep at most. */
const PATIENCE = 5000;

/** Looks for leftover sandboxes, now and every two minutes. */
export function startReaper(
  options: ReaperScope & {
    readonly log: (line: string) => void;
    readonly onSwept: (provider: string, result: SweepResult) => void;
  },
): Sweeping {
  const isOpen = agentIsOpen(options.client);
  const { clusterId: cluster, namespace, log, onSwept } = options;
  const once = async (): Promise<void> => {
    for (const provider of options.providers())
      onSwept(provider.name, await sweep({ provider, cluster, namespace, isOpen, log }));
  };
  let underWay: Promise<void> | undefined;
  const tick = (): void => {
    underWay ??= once()
      .catch((error: unknown) => log(`the sweep for leftover sandboxes failed: ${errorMessage(error)}`))
      .finally(() => {
        underWay = undefined;
      });
  };
  tick();
  const timer = setInterval(tick, SWEEP_INTERVAL * 1000);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await Promise.race([underWay, delay(PATIENCE, undefined, { ref: false })]);
    },
  };
}

/** Sandboxes that there are, by provider. */
export async function countSandboxes(realm: ReaperScope): Promise<Readonly<Record<string, number>>> {
  const counts = await Promise.all(
    realm.providers().map(async (provider) => {
      const ours = (await provider.list()).filter(
        ({ labels }) => labels.cluster === realm.clusterId && labels.namespace === realm.namespace,
      );
      return [provider.name, ours.length] as const;
    }),
  );
  return Object.fromEntries(counts);
}

/** Agents of a task queue whose workflows run, as Temporal's visibility has them: a second or so late. */
export async function countOpenAgents({ client, taskQueue }: { client: Client; taskQueue: string }): Promise<number> {
  const queue = taskQueue.replaceAll("'", "''");
  const { count } = await client.workflow.count(
    `WorkflowType = 'agent' AND ExecutionStatus = 'Running' AND TaskQueue = '${queue}'`,
  );
  return count;
}

export interface WorkflowState {
  readonly open: boolean;
  /** Id under which its data is kept; undefined where Temporal knows no such workflow. */
  readonly execution: string | undefined;
  /** Milliseconds since the epoch. */
  readonly closedAt?: number;
}

/** How the newest workflow of an id stands: asked by name, not from a list that may lag. */
export async function describeWorkflow(client: Client, workflowId: string): Promise<WorkflowState> {
  try {
    const description = await client.workflow.getHandle(workflowId).describe();
    return {
      open: description.status.name === 'RUNNING',
      execution: dataExecution(description),
      ...(description.closeTime === undefined ? {} : { closedAt: description.closeTime.getTime() }),
    };
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return { open: false, execution: undefined };
    throw error;
  }
}

/** Whether an agent's workflow runs, in the very execution of its run that the sandbox was made for. */
export function agentIsOpen(client: Client): (labels: SandboxLabels) => Promise<boolean> {
  return async ({ run, agent, execution }) => {
    const supervisor = await describeWorkflow(client, run);
    if (supervisor.execution !== execution) return false;
    const own = await describeWorkflow(client, agentWorkflowId(run, agent));
    // The root's is made before its workflow begins where that is how the setup of its run is tried.
    return own.open || (own.execution === undefined && supervisor.open);
  };
}

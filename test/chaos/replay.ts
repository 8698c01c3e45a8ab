import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { cacheDirectory } from '../../src/config/directories.ts';
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer } from '../../src/temporal/dev-server.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';

const BUNDLE = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));

export interface Replay {
  readonly histories: number;
  readonly events: number;
  /** Workflows that are not closed, and what failed. */
  readonly problems: readonly string[];
}

/** Plays every history of a run again with the workflow code: where one differs, that workflow could not have gone on. */
export async function replayRun(stateDirectory: string, run: string): Promise<Replay> {
  await installRuntime();
  const server = await startOrAttachDevServer({ stateDirectory, cacheDirectory: cacheDirectory(process.env) });
  const temporal = await connect(embeddedTarget(server));
  try {
    const problems: string[] = [];
    let events = 0;
    const found = [];
    const query = `WorkflowId = '${run}' OR WorkflowId STARTS_WITH '${run}/'`;
    for await (const { workflowId, runId, status } of temporal.client.workflow.list({ query })) {
      if (status.name === 'RUNNING') problems.push(`workflow ${workflowId} still runs`);
      const history = await temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
      events += history.events?.length ?? 0;
      found.push({ workflowId, history });
    }
    for await (const { workflowId, error } of Worker.runReplayHistories(
      { workflowBundle: { codePath: BUNDLE } },
      found,
    ))
      if (error !== undefined) problems.push(`replay of ${workflowId}: ${error.message}`);
    return { histories: found.length, events, problems };
  } finally {
    await temporal.close();
    await server.release({ wait: true });
  }
}

import { cacheDirectory } from '../../../src/config/directories.ts';
import { connect, embeddedTarget } from '../../../src/temporal/connection.ts';
import { startOrAttachDevServer } from '../../../src/temporal/dev-server.ts';
import { until } from './until.ts';

/** What Temporal keeps of one execution of a workflow. */
export interface ExecutionHistory {
  readonly events: number;
  readonly bytes: number;
}

/** @returns of the root agent every execution, first to last; of all workflows of the run their number and events */
export async function readHistories(
  stateDirectory: string,
  run: string,
): Promise<{ root: ExecutionHistory[]; whole: { executions: number; events: number } }> {
  const server = await startOrAttachDevServer({ stateDirectory, cacheDirectory: cacheDirectory(process.env) });
  const temporal = await connect(embeddedTarget(server));
  try {
    // What is listed lags behind what is.
    const ofRun = `(WorkflowId = '${run}' OR WorkflowId STARTS_WITH '${run}/')`;
    const running = `${ofRun} AND ExecutionStatus = 'Running'`;
    await until(async () => (await temporal.client.workflow.count(running)).count === 0, 30);
    const found: { runId: string; at: number }[] = [];
    const whole = { executions: 0, events: 0 };
    for await (const { workflowId, runId, startTime, historyLength } of temporal.client.workflow.list({
      query: ofRun,
    })) {
      whole.executions += 1;
      whole.events += historyLength;
      if (workflowId === `${run}/0`) found.push({ runId, at: startTime.getTime() });
    }
    const root = await Promise.all(
      found
        .toSorted((a, b) => a.at - b.at)
        .map(async ({ runId }) => {
          const { historyLength, historySize } = await temporal.client.workflow.getHandle(`${run}/0`, runId).describe();
          return { events: historyLength, bytes: historySize ?? 0 };
        }),
    );
    return { root, whole };
  } finally {
    await temporal.close();
    await server.release();
  }
}

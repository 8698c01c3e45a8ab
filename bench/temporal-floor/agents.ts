/**
 * A worker, and the client of it, for the workflow `agent` of workflows.ts: plays one tree of agents for each JSON line of
 * its standard input. Started by overhead/temporal-alone.ts with the address of the server.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { dial } from '../../src/temporal/dial.ts';
import { WORKER_OPTIONS } from '../../src/temporal/worker-options.ts';
import type { AgentsReply, AgentsRequest } from '../overhead/temporal-alone.ts';

const [server = ''] = process.argv.slice(2);
const logger = new DefaultLogger('ERROR');
Runtime.install({ logger });
const { address } = await dial(server);
const connection = await NativeConnection.connect({ address });
const client = new Client({ connection: await Connection.connect({ address }) });
const activities = {
  nothing: () => Promise.resolve(),
  wait: async ({ latency }: { latency: number }) => {
    await delay(latency);
  },
};
const common = { connection, activities, ...WORKER_OPTIONS };
const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger });
const main = await Worker.create({ ...common, workflowBundle, taskQueue: 'main' });
const host = await Worker.create({ ...common, taskQueue: 'host' });
await main.runUntil(host.runUntil(answerLines()));

async function answerLines(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { root, latency, parallel }: AgentsRequest = JSON.parse(line);
    const began = performance.now();
    await client.workflow.execute('agent', {
      taskQueue: 'main',
      workflowId: `agents-${began}`,
      args: [{ ...root, latency, parallel }],
    });
    const reply: AgentsReply = { seconds: (performance.now() - began) / 1000 };
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

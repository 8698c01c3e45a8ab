/**
 * What Temporal itself costs, by the way server and worker are run: a chain of activities that do nothing, the same
 * on a queue of a host's own, and a fan-out of children. `node bench/temporal-floor.ts [rounds] [name part ...]`
 * runs the variants in turn, so that other load on the machine hits all alike, and prints the best of each.
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { startServer } from './temporal-floor/server.ts';
import { type Variant, VARIANTS } from './temporal-floor/variants.ts';

interface Figures {
  /** Milliseconds for an activity of a chain. */
  readonly chain: number;
  /** The same on another queue, where none is handed over with the workflow task. */
  readonly hostChain: number;
  /** Seconds for the fan-out. */
  readonly fanOut: number;
  /** CPU seconds of the server, and of this process, for the fan-out. */
  readonly serverCpu: number;
  readonly workerCpu: number;
}

const CHAIN = 100;
const CHILDREN = 200;
const CHILD_LENGTH = 4;

Runtime.install({ logger: new DefaultLogger('ERROR') });
const workflowBundle = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('temporal-floor/workflows.ts', import.meta.url)),
  logger: new DefaultLogger('ERROR'),
});

const [rounds = '3', ...names] = process.argv.slice(2);
const chosen = VARIANTS.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)));
const best = new Map<Variant, Figures>();
for (let round = 0; round < Number(rounds); round++) {
  for (const variant of chosen) {
    const figures = await measure(variant);
    const previous = best.get(variant) ?? figures;
    best.set(variant, leastOf(previous, figures));
  }
}
print(best);

async function measure(variant: Variant): Promise<Figures> {
  const server = await startServer(variant);
  const native = await NativeConnection.connect({ address: server.address });
  const connection = await Connection.connect({ address: server.address });
  const client = new Client({ connection });
  const common = { connection: native, activities: { nothing: () => Promise.resolve() }, ...variant.worker };
  const main = await Worker.create({ ...common, workflowBundle, taskQueue: 'main' });
  const host = await Worker.create({ ...common, taskQueue: 'host' });
  try {
    return await main.runUntil(host.runUntil(() => figuresOf(client, server.cpu)));
  } finally {
    await native.close();
    await connection.close();
    await server.stop();
  }
}

async function figuresOf(client: Client, serverCpu: () => number): Promise<Figures> {
  const run = async (workflow: string, input: object): Promise<number> => {
    const start = performance.now();
    await client.workflow.execute(workflow, { taskQueue: 'main', workflowId: `${workflow}-${start}`, args: [input] });
    return performance.now() - start;
  };
  await run('chain', { length: 5 });
  await run('chain', { length: 5, taskQueue: 'host' });
  const chain = (await run('chain', { length: CHAIN })) / CHAIN;
  const hostChain = (await run('chain', { length: CHAIN / 2, taskQueue: 'host' })) / (CHAIN / 2);
  const cpuBefore = { server: serverCpu(), worker: process.cpuUsage() };
  const fanOut = (await run('fanOut', { children: CHILDREN, length: CHILD_LENGTH })) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore.worker);
  return { chain, hostChain, fanOut, serverCpu: serverCpu() - cpuBefore.server, workerCpu: (user + system) / 1e6 };
}

function leastOf(first: Figures, second: Figures): Figures {
  return {
    chain: Math.min(first.chain, second.chain),
    hostChain: Math.min(first.hostChain, second.hostChain),
    fanOut: Math.min(first.fanOut, second.fanOut),
    serverCpu: Math.min(first.serverCpu, second.serverCpu),
    workerCpu: Math.min(first.workerCpu, second.workerCpu),
  };
}

function print(results: ReadonlyMap<Variant, Figures>): void {
  const columns = ['variant', 'chain ms', 'host ms', 'fan-out s', 'server CPU s', 'worker CPU s'];
  console.log(`| ${columns.join(' | ')} |\n| ${columns.map(() => '---').join(' | ')} |`);
  for (const [{ name }, figures] of results) {
    const values = [figures.chain, figures.hostChain, figures.fanOut, figures.serverCpu, figures.workerCpu];
    console.log(`| ${[name, ...values.map((value) => value.toFixed(2))].join(' | ')} |`);
  }
}

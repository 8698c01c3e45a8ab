/**
 * The topology of docker-compose.yml natively: PostgreSQL, the production Temporal server, an S3-compatible store and
 * two workers with hosts of their own, and a run of 200 agents on it, three times: undisturbed, with a worker killed in
 * the middle, with the Temporal server killed and started again in the middle.
 *
 *     npm run cluster -- [--sandbox daytona|local] [--keep]
 *
 * Sandboxes are Daytona's where its daemon is at hand (../shared/daytona), else local. Local ones die with their host,
 * so with them the killed worker comes back; with Daytona's it stays away and the other does the rest.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { callsPaidAgain } from '../e2e/books.ts';
import { makeRepository } from '../e2e/world.ts';
import { rigIsHere } from '../sandbox/daytona/rig.ts';
import { tail } from './processes.ts';
import { metricsMissing } from './metrics-asked.ts';
import { activitiesByWorker } from './shares.ts';
import { startCluster, type Cluster, type ClusterWorker, type SandboxKind } from './topology.ts';
import { AGENTS, CALLS, problemsOf, PROMPT } from './two-hundred-agents.ts';

const { values: options } = parseArgs({
  options: { sandbox: { type: 'string' }, keep: { type: 'boolean', default: false } },
});
const sandbox: SandboxKind = options.sandbox === 'local' || !rigIsHere() ? 'local' : 'daytona';

interface Row {
  readonly scenario: string;
  readonly seconds: string;
  readonly agents: number;
  readonly calls: number;
  /** Calls in flight when something was killed, which had to be made again. */
  readonly again: number;
  readonly shares: string;
  readonly s3: string;
  readonly sandboxes: number;
  readonly faults: readonly string[];
}

interface Disturbance {
  readonly name: string;
  /** Done when so many calls of the run have been made. */
  readonly afterCalls: number;
  readonly act: (cluster: Cluster) => Promise<string>;
}

const DISTURBANCES: readonly Disturbance[] = [
  { name: 'undisturbed', afterCalls: 0, act: () => Promise.resolve('') },
  {
    name: 'worker killed',
    afterCalls: 180,
    async act({ workers: [worker] }) {
      await worker.kill();
      if (sandbox === 'daytona') return `${worker.host} killed for good`;
      await delay(5000);
      await worker.start();
      return `${worker.host} killed, back after 5 s`;
    },
  },
  {
    name: 'server restarted',
    afterCalls: 180,
    act: async ({ temporal }) => `answers again after ${await temporal.restart()} ms`,
  },
];

console.log(`Starting the cluster (sandboxes: ${sandbox}) ...`);
const cluster = await startCluster(sandbox, (line) => console.log(line));
let failed = true;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void cluster.close({ keep: false }).then(() => process.exit(130)));
try {
  const repository = makeRepository(join(cluster.folder, 'repository'), { 'README.md': '# Library\n' });
  const rows: Row[] = [];
  for (const disturbance of DISTURBANCES) {
    // The last one's workers go on, so that their metrics can be looked at.
    if (rows.length > 0) for (const worker of cluster.workers) await revive(worker);
    rows.push(await play(disturbance, repository));
  }
  printTable(rows);
  const missing = await metricsMissing(cluster);
  console.log(
    missing.length === 0
      ? '\nEvery metric that the dashboard and the alerts ask for was scraped.'
      : `\nNot scraped: ${missing.join(', ')}`,
  );
  failed = rows.some(({ faults }) => faults.length > 0) || missing.length > 0;
} finally {
  await cluster.close({ keep: options.keep || failed });
  if (options.keep || failed) console.log(`Logs are in ${cluster.folder}`);
}
process.exit(failed ? 1 : 0);

async function play({ name, afterCalls, act }: Disturbance, repository: string): Promise<Row> {
  const run = name.replaceAll(' ', '-');
  const before = (await cluster.model.calls()).length;
  const s3Before = cluster.s3Requests();
  const pids = new Map(cluster.workers.map(({ host, pid }) => [pid(), host]));
  console.log(`${name} ...`);
  const begun = Date.now();
  const command = ['run', repository, '-p', PROMPT, '--id', run, '--json', '--no-worker', '-q'];
  const { program, output } = cluster.command(run, command);
  if (afterCalls > 0) {
    while (program.isRunning() && (await cluster.model.calls()).length < before + afterCalls) await delay(50);
    console.log(`  ${await act(cluster)}`);
  }
  const code = await program.ended;
  const s3 = cluster.s3Requests();
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  if (code !== 0) throw new Error(`rlm run ended with ${code}:\n${tail(program.log)}`);
  for (const { host, pid } of cluster.workers) pids.set(pid(), host);
  const document = JSON.parse(readFileSync(output, 'utf8')) as {
    readonly status: string;
    readonly agents: number;
    readonly sandboxes: number;
    readonly answer: unknown;
  };
  const calls = (await cluster.model.calls()).slice(before);
  const answered = calls.filter(({ outcome }) => outcome === 'answered').length;
  const shares = await sharesOf(run, pids);
  const sandboxes = await untilNone();
  const faults = [
    ...problemsOf(document.answer),
    // The gateway keeps an object as a file of its name, so the store of files can be looked at.
    ...(await callsPaidAgain(cluster.s3.folder, run, calls)),
    ...(document.status === 'completed' ? [] : [`the run is ${document.status}`]),
    ...(document.agents === AGENTS ? [] : [`${document.agents} agents`]),
    ...(answered < CALLS ? [`only ${answered} calls`] : []),
    ...(afterCalls === 0 && answered > CALLS ? [`${answered} calls, ${CALLS} would have done`] : []),
    ...(sandboxes === 0 ? [] : [`${sandboxes} sandboxes left`]),
    ...[...shares].flatMap(([host, count]) => (count > 0 ? [] : [`${host} did nothing`])),
  ];
  return {
    scenario: name,
    seconds,
    agents: document.agents,
    calls: answered,
    again: answered - CALLS,
    shares: [...shares].map(([host, count]) => `${host} ${count}`).join(', '),
    s3: `${s3.writes - s3Before.writes} writes, ${s3.reads - s3Before.reads} reads`,
    sandboxes,
    faults,
  };
}

async function sharesOf(run: string, pids: ReadonlyMap<number, string>): Promise<ReadonlyMap<string, number>> {
  const connection = await cluster.connect();
  try {
    const shares = new Map(cluster.workers.map(({ host }) => [host, 0]));
    for (const [pid, count] of await activitiesByWorker(connection.client, run)) {
      const host = pids.get(pid) ?? `pid ${pid}`;
      shares.set(host, (shares.get(host) ?? 0) + count);
    }
    return shares;
  } finally {
    await connection.close();
  }
}

/** A sandbox that is being removed still counts: it may take a moment. */
async function untilNone(): Promise<number> {
  const deadline = Date.now() + 30_000;
  let count = await cluster.sandboxes();
  while (count > 0 && Date.now() < deadline) {
    await delay(200);
    count = await cluster.sandboxes();
  }
  return count;
}

async function revive(worker: ClusterWorker): Promise<void> {
  await worker.kill();
  await worker.start();
}

function printTable(rows: readonly Row[]): void {
  console.log(`
| ${AGENTS} agents, 2 workers, ${sandbox} sandboxes | seconds | model calls (again) | activities by worker | S3 requests | sandboxes left | books |
| --- | --- | --- | --- | --- | --- | --- |`);
  for (const { scenario, seconds, calls, again, shares, s3, sandboxes, faults } of rows)
    console.log(
      `| ${scenario} | ${seconds} | ${calls} (${again}) | ${shares} | ${s3} | ${sandboxes} | ${faults.length === 0 ? 'balance' : faults.slice(0, 5).join('; ')} |`,
    );
}

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { connect, type TemporalConnection } from '../../src/temporal/connection.ts';
import { spawnScriptedModel, type ScriptedModelProcess } from '../../src/testing/index.ts';
import { ROOT } from '../deploy/compose-file.ts';
import { startRig } from '../sandbox/daytona/rig.ts';
import { freePort, startS3Server, type S3Server } from '../storage/s3-server.ts';
import { startPostgres } from './postgres.ts';
import { startProgram, untilReady, type Program } from './processes.ts';
import { findPrograms } from './programs.ts';
import { startTemporalServer, type TemporalServer } from './temporal-server.ts';

export type SandboxKind = 'local' | 'daytona';
/** The bucket lies beside the temporary folder of no other store, so its name may be that of the file store's folder. */
export const BUCKET = 'blobs';
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
/** Milliseconds of a reply of the model: time in which something can be killed. */
const LATENCY = 300;

/** A worker process with a host name, state and cache of its own, as on a machine of its own. */
export interface ClusterWorker {
  readonly host: string;
  readonly pid: () => number;
  /** Its metrics, as Prometheus gets them. */
  metrics(): Promise<string>;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface Cluster {
  readonly folder: string;
  readonly s3: S3Server;
  /** Requests to the store so far, as they are billed: those that write or list, and those that read. */
  s3Requests(): { readonly writes: number; readonly reads: number };
  readonly temporal: TemporalServer;
  readonly workers: readonly [ClusterWorker, ClusterWorker];
  readonly model: ScriptedModelProcess;
  connect(): Promise<TemporalConnection>;
  /** Starts `rlm ...` as on a third machine, which works on nothing itself. */
  command(name: string, args: readonly string[]): { readonly program: Program; readonly output: string };
  /** Sandboxes that exist, on every host. */
  sandboxes(): Promise<number>;
  close(options: { keep: boolean }): Promise<void>;
}

/** The topology of docker-compose.yml without containers, on the loopback. */
export async function startCluster(sandbox: SandboxKind, log: (line: string) => void): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-cluster-'));
  // PostgreSQL's user has to reach its own folder in it.
  chmodSync(folder, 0o755);
  const closing: (() => Promise<void>)[] = [];
  const close = async ({ keep }: { keep: boolean }): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  try {
    const programs = await findPrograms(log);
    const postgres = await startPostgres(programs.postgres, folder);
    closing.push(() => postgres.program.end('SIGINT'));
    const accessLog = join(folder, 's3.log');
    const s3 = await startS3Server({ accessLog });
    closing.push(() => s3.close());
    s3.createBucket(BUCKET);
    const temporal = await startTemporalServer(programs, postgres, folder);
    closing.push(() => temporal.program().end());
    const script = join(dirname(import.meta.filename), 'two-hundred-agents.ts');
    const model = await spawnScriptedModel({ script, latencyMs: LATENCY, idleExit: 900 });
    closing.push(() => model.close());
    const rig = sandbox === 'daytona' ? await startRig() : undefined;
    if (rig !== undefined) closing.push(() => rig.close());

    const config = join(folder, 'config.yaml');
    writeFileSync(config, configuration(model.url, s3.endpoint, sandbox));
    const shared = {
      PATH: process.env['PATH'],
      HOME: folder,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      LLM_API_KEY: 'key-of-the-cluster',
      NO_COLOR: '1',
      ...s3.env,
      ...rig?.environment,
    };
    const machine = (host: string): NodeJS.ProcessEnv => ({
      ...shared,
      DURABLE_RLM_HOST: host,
      DURABLE_RLM_STATE: join(folder, host, 'state'),
      DURABLE_RLM_CACHE: join(folder, host, 'cache'),
    });
    const workers = [
      await clusterWorker('host-a', machine('host-a'), folder, config),
      await clusterWorker('host-b', machine('host-b'), folder, config),
    ] as const;
    closing.push(...workers.map((worker) => () => worker.kill()));
    await Promise.all(workers.map((worker) => worker.start()));

    return {
      folder,
      s3,
      s3Requests() {
        const text = existsSync(accessLog) ? readFileSync(accessLog, 'utf8') : '';
        const count = (operation: string): number => text.split(` s3_${operation} `).length - 1;
        return {
          writes: count('PutObject') + count('ListObjectsV2'),
          reads: count('GetObject') + count('HeadObject'),
        };
      },
      temporal,
      workers,
      model,
      async connect() {
        const { address, namespace } = temporal;
        return connect({ address, namespace, options: { address } });
      },
      command(name, args) {
        const output = join(folder, `${name}.json`);
        const program = startProgram({
          command: ['sh', '-c', 'exec "$@" >"$OUTPUT"', 'sh', process.execPath, MAIN, ...args, '-c', config],
          env: { ...machine('desk'), OUTPUT: output },
          cwd: folder,
          log: join(folder, `${name}.log`),
        });
        return { program, output };
      },
      sandboxes: () => (rig === undefined ? localSandboxes(folder, workers) : rig.existing()),
      close,
    };
  } catch (error) {
    await close({ keep: true });
    throw error;
  }
}

function configuration(model: string, endpoint: string, provider: SandboxKind): string {
  return [
    `model: {name: openai/scripted, base_url: '${model}'}`,
    // At most 12 sections and their pages live at once: a sandbox of the rig takes 65 MB.
    'rlm: {max_sandboxes: 300, max_parallel: 12, global_timeout: 900}',
    `sandbox: {provider: ${provider}}`,
    `storage: {driver: s3, bucket: ${BUCKET}, endpoint: '${endpoint}'}`,
    '',
  ].join('\n');
}

async function clusterWorker(
  host: string,
  env: NodeJS.ProcessEnv,
  folder: string,
  config: string,
): Promise<ClusterWorker> {
  let program: Program | undefined;
  const log = join(folder, `${host}.log`);
  const port = await freePort();
  const monitoring = ['--metrics-port', String(port), '--health-port', String(port)];
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
  mkdirSync(join(folder, host));
  return {
    host,
    pid: () => program?.pid ?? 0,
    metrics: async () => (await ask('/metrics')).text(),
    async kill() {
      await program?.end('SIGKILL');
    },
    async start() {
      program = startProgram({
        command: [process.execPath, MAIN, 'worker', '-c', config, ...monitoring],
        env,
        cwd: join(folder, host),
        log,
      });
      await untilReady(program, `the worker of ${host}`, async () => (await ask('/ready')).ok);
    },
  };
}

async function localSandboxes(folder: string, workers: readonly ClusterWorker[]): Promise<number> {
  let count = 0;
  for (const { host } of workers) {
    const provider = createLocalProvider({
      stateDirectory: join(folder, host, 'state'),
      cacheDirectory: join(folder, host, 'cache'),
      host,
    });
    count += (await provider.list()).length;
    await provider.close();
  }
  return count;
}

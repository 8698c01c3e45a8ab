import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { kill, untilEnded } from '../../src/sandbox/host/processes.ts';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import type { SandboxRecord } from '../../src/sandbox/local/records.ts';
import type { SandboxProvider } from '../../src/sandbox/provider.ts';
import { startRig } from '../sandbox/daytona/rig.ts';

export type PlaceName = 'local' | 'daytona';

/** Where the sandboxes of a test are, as somebody sees it who does not go through the program. */
export interface Place {
  /** Of the provider. */
  readonly name: PlaceName;
  /** What a worker needs in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Settings under `sandbox`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names of the sandboxes that exist. */
  sandboxes(): Promise<string[]>;
  /** Whatever there still is of a run's sandboxes, or of any. */
  leftovers(run?: string): Promise<string[]>;
  /** Kills the processes of an agent's sandbox, as a host running out of memory would. */
  killSandbox(run: string, agent: string): Promise<void>;
  /** Removes what a test that failed has left: no loop must run for the rest of the day. */
  close(): Promise<void>;
}

const PATIENCE = 10_000;

/** `DURABLE_RLM_E2E_SANDBOXES=daytona` runs the end-to-end tests on the real Daytona daemon (npm run test:daytona). */
export function placeByEnvironment(): PlaceName {
  return process.env['DURABLE_RLM_E2E_SANDBOXES'] === 'daytona' ? 'daytona' : 'local';
}

/**
 * @param folder of the test, with `state` and `cache` in it.
 * @param options of Daytona's control plane, such as `--max-sandboxes`.
 */
export function openPlace(name: PlaceName, folder: string, options: readonly string[] = []): Promise<Place> {
  return name === 'local' ? Promise.resolve(localPlace(folder)) : daytonaPlace(options);
}

async function daytonaPlace(options: readonly string[]): Promise<Place> {
  const rig = await startRig('--reconcile-ms', '200', ...options);
  const names = async (): Promise<string[]> => (await rig.sandboxes()).map(({ name }) => name);
  return {
    name: 'daytona',
    environment: rig.environment,
    settings: { provider: 'daytona' },
    sandboxes: names,
    async leftovers(run) {
      // A deletion is taken before it is done.
      await untilTrue(async () => !(await rig.sandboxes()).some(({ state }) => state === 'destroying'));
      return (await names()).filter((name) => run === undefined || name.startsWith(`rlm-${run}-`));
    },
    async killSandbox(run, agent) {
      const all = await rig.sandboxes();
      const found = all.find(({ labels }) => labels['rlm-run'] === run && labels['rlm-agent'] === agent);
      if (found === undefined) throw new Error(`no sandbox of agent ${agent} runs`);
      await rig.kill(found.name);
      await untilTrue(
        async () => !(await rig.sandboxes()).some(({ id, state }) => id === found.id && state === 'started'),
      );
    },
    close: () => rig.close(),
  };
}

async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`it did not come about within ${PATIENCE / 1000} s`);
    await delay(20);
  }
}

function localPlace(folder: string): Place {
  const directory = join(folder, 'state', 'sandboxes');
  const sandboxes = (): Promise<string[]> =>
    withProvider(folder, async (provider) => (await provider.list()).map(({ handle }) => handle.id));
  return {
    name: 'local',
    environment: {},
    settings: {},
    sandboxes,
    async leftovers(run) {
      const prefix = run === undefined ? '' : `rlm-${run}-`;
      const processes = processesWith(`${sandboxTag(folder)}${prefix}`);
      const names = existsSync(directory) ? readdirSync(directory) : [];
      const files = names
        .filter((name) => !name.startsWith('.') && name.startsWith(prefix))
        .map((name) => `folder ${name}`);
      const existing = (await sandboxes()).filter((id) => id.startsWith(prefix));
      return [...existing, ...files, ...processes];
    },
    async killSandbox(run, agent) {
      const records = readdirSync(directory)
        .filter((name) => !name.startsWith('.'))
        .map((name) => readRecord(join(directory, name, 'record.json')));
      const record = records.find((found) => found?.labels.run === run && found.labels.agent === agent);
      if (record?.running === undefined) throw new Error(`no sandbox of agent ${agent} runs`);
      kill(record.running.child, false);
      const alive = await untilEnded([record.running.child], 5000);
      if (alive.length > 0) throw new Error(`sandbox ${record.id} does not end`);
    },
    close: () =>
      withProvider(folder, async (provider) => {
        for (const { handle } of await provider.list()) await provider.destroy(handle);
      }),
  };
}

async function withProvider<T>(folder: string, work: (provider: SandboxProvider) => Promise<T>): Promise<T> {
  const provider = createLocalProvider({
    stateDirectory: join(folder, 'state'),
    cacheDirectory: join(folder, 'cache'),
  });
  try {
    return await work(provider);
  } finally {
    await provider.close();
  }
}

/** The processes of this host whose command line has the text, as `process <pid>`. */
export function processesWith(text: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => commandLine(pid).includes(text)).map((pid) => `process ${pid}`);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return ''; // It has ended.
  }
}

/** Part of the command line of every process of the folder's sandboxes. */
function sandboxTag(folder: string): string {
  const state = realpathSync(join(folder, 'state'));
  return `/run/rlm/${createHash('sha256').update(state).digest('hex').slice(0, 12)}/`;
}

function readRecord(path: string): SandboxRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SandboxRecord;
  } catch (error) {
    // Another test's, removed at this very moment.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

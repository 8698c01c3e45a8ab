import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CleanReport } from '../../src/cli/clean/report.ts';
import type { Io } from '../../src/cli/io.ts';
import { runProgram } from '../../src/cli/program.ts';
import { cacheDirectory as userCacheDirectory } from '../../src/config/directories.ts';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import { runReferenceName } from '../../src/domain/records.ts';
import { createGrants } from '../../src/grants.ts';
import { listRuns } from '../../src/results/find-run.ts';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { SandboxLabels } from '../../src/sandbox/provider.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { connect, embeddedTarget, type TemporalConnection } from '../../src/temporal/connection.ts';
import { startOrAttachDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { ensureNamespace } from '../../src/temporal/namespace.ts';
import { createDesk, type Desk } from '../e2e/command.ts';

const DAY = 24 * 60 * 60_000;

let desk: Desk;
let provider: LocalProvider;
/** The embedded one of the desk, and another with a database of its own; both look after sandboxes of this host. */
let servers: readonly DevServer[];
let connections: readonly TemporalConnection[];

beforeAll(async () => {
  desk = await createDesk();
  provider = createLocalProvider({ stateDirectory: desk.state, cacheDirectory: join(desk.folder, 'cache') });
  servers = await Promise.all(
    [desk.state, join(desk.folder, 'other-state')].map((stateDirectory) =>
      startOrAttachDevServer({ stateDirectory, cacheDirectory: userCacheDirectory(process.env) }),
    ),
  );
  for (const { address } of servers) await ensureNamespace(address, 'team', 10_000);
  connections = await Promise.all(servers.map((server) => connect(embeddedTarget(server))));
}, 120_000);

afterAll(async () => {
  await provider.close();
  for (const connection of connections) await connection.close();
  for (const server of servers) await server.release({ wait: true });
  await desk.close();
});

/** The command in this process, as `main.ts` calls it. */
async function rlm(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([textOf(stdout), textOf(stderr)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what commands use of a stream, these have
  const streams = { stdin: process.stdin, stdout, stderr } as unknown as Pick<Io, 'stdin' | 'stdout' | 'stderr'>;
  const code = await runProgram(args, { ...streams, env: { ...desk.env, ...env }, cwd: desk.folder });
  stdout.end();
  stderr.end();
  const [out, error] = await texts;
  return { code, stdout: out, stderr: error };
}

async function clean(...args: readonly string[]): Promise<CleanReport & { code: number }> {
  const { code, stdout, stderr } = await rlm(['clean', '--json', ...args]);
  expect(stderr).toBe('');
  return { code, ...(JSON.parse(stdout) as CleanReport) };
}

function at(index: number): { client: Client; cluster: string; address: string } {
  const [connection, server] = [connections[index], servers[index]];
  if (connection === undefined || server === undefined) throw new Error('no such server');
  return { client: connection.client, cluster: connection.clusterId, address: server.address };
}

/** A run that waits for a worker: it is open and will stay so. */
async function openRun(client: Client, run: string): Promise<string> {
  const options = { workflowId: run, taskQueue: 'nobody', args: [{}] };
  return (await client.workflow.start('investigate', options)).firstExecutionRunId;
}

/** A real sandbox, its kernel running. */
async function sandbox(name: string, labels: Partial<SandboxLabels>): Promise<string> {
  const { id } = await provider.create({
    name,
    generation: 0,
    labels: { cluster: at(0).cluster, namespace: 'default', run: name, execution: 'x', agent: '0', ...labels },
    isolation: 'bubblewrap',
    memory_mb: 512,
    idle_timeout: 600,
  });
  return id;
}

const ids = ({ sandboxes }: CleanReport): string[] => sandboxes.map((each) => each.sandbox).toSorted();
const exists = (id: string): boolean => existsSync(join(desk.state, 'sandboxes', id));

describe('sandboxes', () => {
  it('are left where no agent runs any more, as their own server and namespace says, and only there', async () => {
    const execution = await openRun(at(0).client, 'open');
    const [open, left, foreign, team] = await Promise.all([
      sandbox('open', { execution }),
      sandbox('left', {}),
      sandbox('foreign', { cluster: at(1).cluster }),
      sandbox('team', { namespace: 'team' }),
    ]);
    const lost = join(desk.state, 'sandboxes', 'lost.g0');
    mkdirSync(lost);

    const shown = await clean();
    expect(shown).toMatchObject({ code: 0, failures: [] });
    expect(ids(shown)).toEqual([left, 'lost.g0']);
    expect(shown.notes.join()).toContain('2 sandboxes of other Temporal servers or namespaces');
    expect(shown.sandboxes.every(({ deleted }) => !deleted)).toBe(true);
    expect(ids(await clean('--address', at(1).address))).toEqual([foreign, 'lost.g0']);
    expect(ids(await clean('--namespace', 'team'))).toEqual(['lost.g0', team]);
    expect([open, left, foreign, team].map(exists)).toEqual([true, true, true, true]);

    const deleted = await clean('--yes');
    expect(deleted.sandboxes.map((each) => [each.sandbox, each.deleted])).toEqual(
      expect.arrayContaining([
        [left, true],
        ['lost.g0', true],
      ]),
    );
    expect([open, left, foreign, team, 'lost.g0'].map(exists)).toEqual([true, false, true, true, false]);
    await clean('--yes', '--address', at(1).address);
    await clean('--yes', '--namespace', 'team');
    expect([open, foreign, team].map(exists)).toEqual([true, false, false]);
    await at(0).client.workflow.getHandle('open').terminate();
    expect(ids(await clean('--yes'))).toEqual([open]);
    expect(await desk.leftovers()).toEqual([]);
  });
});

describe('temporary files and caches', () => {
  const old = new Date(Date.now() - 40 * DAY);

  it('are shown, those of gone processes deleted, and caches on request when they are old', async () => {
    const cache = join(desk.folder, 'cache');
    const made = (path: string, date?: Date): string => {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'content'), 'x'.repeat(10_000));
      if (date !== undefined) utimesSync(path, date, date);
      return path;
    };
    const scratch = made(join(cache, 'checkouts', `.new-999999999-1-${'a'.repeat(16)}`));
    const mine = made(join(cache, 'checkouts', `.new-${process.pid}-1-${'a'.repeat(16)}`));
    rmSync(mine, { recursive: true });
    const checkout = made(join(cache, 'checkouts', 'plain', 'key', 'c'.repeat(40)), old);
    const used = made(join(cache, 'checkouts', 'plain', 'key', 'd'.repeat(40)));
    const repository = made(join(cache, 'repositories', 'key.git'), old);
    const kernel = join(cache, 'kernel-3.9.1-0123456789.pyc');
    writeFileSync(kernel, 'kernel');
    utimesSync(kernel, old, old);

    const shown = await clean();
    expect(shown.temporary).toMatchObject([{ path: scratch, deleted: false }]);
    expect(shown.temporary[0]?.bytes).toBeGreaterThanOrEqual(10_000);
    const unused = ({ caches }: CleanReport): string[] => caches.filter((each) => each.unused).map(({ path }) => path);
    expect(unused(shown)).toEqual([checkout, kernel, repository]);
    expect(shown.caches.find(({ path }) => path === used)).toMatchObject({ kind: 'checkout', unused: false });

    await clean('--yes');
    expect([scratch, checkout, kernel].map((path) => existsSync(path))).toEqual([false, true, true]);
    // What a sandbox may lie on is left alone, however old.
    const live = await sandbox('on-a-layer', {});
    const record = join(desk.state, 'sandboxes', live, 'record.json');
    expect(existsSync(record)).toBe(true);
    expect(unused(await clean('--unused-for', '50d'))).toEqual([]);
    const { caches } = await clean('--yes', '--caches');
    expect(caches.filter((each) => each.deleted).map(({ path }) => path)).toEqual([checkout, kernel, repository]);
    expect([checkout, kernel, repository, used].map((path) => existsSync(path))).toEqual([false, false, false, true]);
  });
});

describe('runs and blobs', () => {
  const blobs = () => createFileBlobStore({ path: join(desk.state, 'blobs') });

  /** A run in the store; its blobs are as old as itself. */
  async function stored(
    run: string,
    daysAgo: number,
    execution: string,
    { ended = true, cluster = at(0).cluster }: { readonly ended?: boolean; readonly cluster?: string } = {},
  ): Promise<string> {
    const chains = createChains(blobs());
    const started_at = Date.now() - daysAgo * DAY;
    const bundle = await blobs().put(Buffer.from(`# bundle of ${run}`));
    await blobs().setReference(`bundles/${run}`, bundle);
    const repository = { name: run, bundle, commit: 'c'.repeat(40) };
    const spec = await chains.putJson({ v: 1, kind: 'run', run, execution, repository, config: DEFAULT_CONFIG });
    const task = { v: 1, kind: 'task', parent: null, agent: '0', depth: 0, run: spec, task: run, prompt_version: 1 };
    const head = await chains.append(task as Parameters<typeof chains.append>[0]);
    const agent = { head, agent: '0', started_at, updated_at: started_at };
    await blobs().setReference(`runs/${run}@${execution}/0`, agent);
    const ref = await chains.putJson(`an answer to ${run}`);
    await blobs().setReference(`journal/${run}@${execution}/0/1.1-x.0`, { ref, usage: [1, 1, 0] });
    const outcome = ended ? { outcome: { status: 'completed' }, ended_at: started_at + 1000 } : {};
    await blobs().setReference(runReferenceName(run, execution), {
      run,
      execution,
      spec,
      cluster,
      namespace: 'default',
      started_at,
      ...outcome,
    });
    for (const hash of [bundle, spec, head, ref]) {
      const hex = Buffer.from(hash, 'base64url').toString('hex');
      const date = new Date(started_at);
      utimesSync(join(desk.state, 'blobs', 'objects', hex.slice(0, 2), hex.slice(2)), date, date);
    }
    return head;
  }

  it('that ended long ago are forgotten on request, with their blobs; one that runs is not, whatever is stored', async () => {
    const { client } = at(0);
    const [old, recent] = [await stored('old', 60, 'e1'), await stored('recent', 5, 'e2')];
    // It had ended and was reset; and one that no outcome was ever recorded of, which Temporal does not know.
    const running = await stored('running', 40, await openRun(client, 'running'));
    const unknown = await stored('unknown', 45, 'e4', { ended: false });
    const terminated = await openRun(client, 'terminated');
    await client.workflow.getHandle('terminated').terminate();
    await stored('elsewhere', 60, 'e6', { cluster: 'another' });
    const ended = await stored('terminated', 60, terminated, { ended: false });
    const has = (): Promise<boolean[]> =>
      Promise.all([old, recent, running, unknown, ended].map((hash) => blobs().has(hash)));

    // Grants: of one that is forgotten, one that is kept, one that nobody knows for long, one that nobody knows yet.
    const grants = createGrants(desk.state);
    for (const run of ['old', 'recent', 'running', 'gone', 'starting']) {
      const hash = await grants.issue({ run, type: 'analyze', input: {} });
      if (run === 'gone') utimesSync(join(desk.state, 'grants', hash), new Date(0), new Date(0));
      await grants.specifications.add(hash, run);
    }
    const granted = async (): Promise<string[]> =>
      (await Promise.all(grants.marks.map((marks) => marks.list())))
        .flat()
        .map(({ note }) => note)
        .toSorted();

    const results = join(desk.folder, 'results');
    mkdirSync(results);
    for (const run of ['old', 'recent']) writeFileSync(join(results, `${run}.detail.json`), '{}');
    const ask = ['--older-than', '30d'];
    const shown = await clean(...ask);
    expect(shown.grants).toEqual({ grants: 3, deleted: false });
    expect(shown.runs.map(({ run_id, deleted }) => [run_id, deleted])).toEqual([['old', false]]);
    expect(shown.notes.join()).toMatch(/1 run without an end could not be judged/);
    expect(shown.notes.join()).toMatch(/1 run of another Temporal server or namespace was left alone/);
    expect(shown.blobs).toMatchObject({ abandoned: { blobs: 4 }, deleted: false });
    expect(await has()).toEqual([true, true, true, true, true]);

    const done = await clean('--yes', ...ask);
    expect(done).toMatchObject({ code: 0, blobs: { abandoned: { blobs: 4 }, deleted: true } });
    expect(await has()).toEqual([false, true, true, true, true]);
    expect((await blobs().listReferences('')).filter((name) => name.includes('old'))).toEqual([]);
    expect((await listRuns(blobs())).map(({ run }) => run)).not.toContain('old');
    expect(await granted()).toEqual(['gone', 'recent', 'recent', 'running', 'running', 'starting', 'starting']);
    expect(readdirSync(results).toSorted()).toEqual(['index.json', 'recent.detail.json']);

    // What was terminated has no outcome, but Temporal knows that it has ended.
    const all = await clean('--yes', '--older-than', '0d');
    expect(all.runs.map(({ run_id }) => run_id).toSorted()).toEqual(['recent', 'terminated']);
    const everywhere = await clean('--yes', '--older-than', '0d', '--all-servers');
    expect(everywhere.runs.map(({ run_id }) => run_id)).toEqual(['elsewhere']);
    await client.workflow.getHandle('running').terminate();
  });

  it('are kept as long as a run that has not ended may refer to them from its history alone', async () => {
    const execution = await openRun(at(0).client, 'paused');
    await stored('paused', 3, execution, { ended: false });
    const request = await blobs().put(Buffer.from('{"list":["only the history knows of this"]}'));
    const hex = Buffer.from(request, 'base64url').toString('hex');
    const then = new Date(Date.now() - 2 * DAY);
    utimesSync(join(desk.state, 'blobs', 'objects', hex.slice(0, 2), hex.slice(2)), then, then);
    await clean('--yes', '--blobs');
    expect(await blobs().has(request)).toBe(true);
    await at(0).client.workflow.getHandle('paused').terminate();
    await clean('--yes', '--blobs');
    expect(await blobs().has(request)).toBe(false);
  });
});

describe('the command', () => {
  it('shows a table and says how to delete; without a server it does what needs none and says what it left', async () => {
    mkdirSync(join(desk.state, 'sandboxes', 'lost.g0'), { recursive: true });
    const { code, stdout, stderr } = await rlm(['clean']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^WHAT +SIZE\n.*sandbox lost\.g0 +its record was lost/s);
    expect(stderr).toMatch(/Nothing was deleted\. rlm clean --yes deletes 1 sandbox/);
    const state = join(desk.folder, 'no-server');
    mkdirSync(join(state, 'sandboxes', 'lost.g0'), { recursive: true });
    const alone = { DURABLE_RLM_STATE: state };
    const away = await rlm(['clean', '--yes'], alone);
    expect(away).toMatchObject({ code: 0 });
    expect(away.stdout).toMatch(/lost\.g0.*: deleted/);
    expect(away.stderr).toMatch(/Runs and blobs were not looked at/);
    expect(existsSync(join(state, 'temporal.db'))).toBe(false);
    expect(away.stderr).not.toMatch(/starts it/);
    const stopped = join(desk.folder, 'stopped-server');
    mkdirSync(stopped);
    writeFileSync(join(stopped, 'temporal.db'), '');
    const startable = await rlm(['clean'], { DURABLE_RLM_STATE: stopped });
    expect(startable.stderr).toMatch(/no Temporal server is running: (npx )?rlm clean --blobs starts it/);
    const blobs = await rlm(['clean', '--yes', '--blobs'], alone);
    expect(blobs).toMatchObject({ code: 2, stderr: expect.stringMatching(/name it with --address/) as string });
    const wrong = await rlm(['clean', '--unused-for', 'ages']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/90m, 12h, 30d/) as string });
  });
});

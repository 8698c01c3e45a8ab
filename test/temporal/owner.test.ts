import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect as connectTemporal, embeddedTarget } from '../../src/temporal/connection.ts';
import { devServerFiles } from '../../src/temporal/dev-server-files.ts';
import { prepareSockets } from '../../src/temporal/dev-server-sockets.ts';
import { defaultDatabaseFile, devServerStatus } from '../../src/temporal/dev-server.ts';
import { dial } from '../../src/temporal/dial.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { identityOf } from '../../src/temporal/process-identity.ts';
import { unixSocketPath } from '../../src/temporal/unix-relay.ts';
import { cannotSwitch, ORDINARY_UID } from '../sandbox/another-user.ts';
import {
  connectionTo,
  kill,
  serverOptions,
  startServer,
  temporaryFolder,
  testCacheDirectory,
  until,
} from './fixtures.ts';
import { childrenOf, listeningPorts, withDescendants } from './listening-ports.ts';

const run = promisify(execFile);
const START = fileURLToPath(new URL('start-server.ts', import.meta.url));
const STRANGER = fileURLToPath(new URL('stranger.ts', import.meta.url));
/** Temporal does not start for a uid without an account. */
const NOBODY_UID = 65_534;
const OWN_UID = process.getuid?.() ?? 0;
const why = cannotSwitch(STRANGER);

/** `temporal`, where every user can run it. */
let temporal: string;
const programs = mkdtempSync(join(tmpdir(), 'rlm-programs-'));
beforeAll(async () => {
  temporal = join(programs, 'temporal');
  chmodSync(programs, 0o755);
  copyFileSync(await findTemporalCli({ cacheDirectory: testCacheDirectory() }), temporal);
  chmodSync(temporal, 0o755);
});
afterAll(() => rmSync(programs, { recursive: true }));

interface Owned {
  readonly address: string;
  readonly stateDirectory: string;
  /** The command that uses the server, and the server's own. */
  readonly pids: readonly number[];
}

/** A server that a process of this user has started, and uses. */
async function startAs(uid: number): Promise<Owned> {
  const folder = temporaryFolder();
  chownSync(folder, uid, uid);
  const stateDirectory = join(folder, 'state');
  const child = spawn(process.execPath, [START, stateDirectory, join(folder, 'cache'), temporal], {
    uid,
    gid: uid,
    cwd: '/',
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const { server } = devServerStatus(defaultDatabaseFile(stateDirectory));
    child.kill('SIGKILL');
    if (server !== undefined) await kill(server.process);
  });
  await once(createInterface(child.stdout), 'line');
  const { server } = devServerStatus(defaultDatabaseFile(stateDirectory));
  if (server === undefined) throw new Error('no server was started');
  return { address: server.address, stateDirectory, pids: [child.pid ?? 0, server.process.pid] };
}

describe.each([
  [`of ${OWN_UID === 0 ? 'root' : 'this user'}`, OWN_UID],
  ['of an ordinary user, started by root', NOBODY_UID],
] as const)('a server %s', (_, owner) => {
  test.skipIf(why !== undefined)(
    `is out of reach for every other user${why === undefined ? '' : ` (skipped: ${why})`}`,
    async () => {
      const { address, stateDirectory, pids } = await startAs(owner);
      const asOwner = { uid: owner, gid: owner, cwd: '/', env: { HOME: '/nonexistent', USER: 'owner' } };
      const start = ['workflow', 'start', '--type', 'any', '--task-queue', 'nobody', '--workflow-id', 'the-owners-own'];
      await run(temporal, [...start, '--address', address], asOwner);

      const { socket, uiSocket } = prepareSockets(devServerFiles(defaultDatabaseFile(stateDirectory)));
      const given = { sockets: [socket, uiSocket], ports: listeningPorts(pids), workflow: 'the-owners-own' };
      const reachedBy = async (uid: number): Promise<unknown> => {
        const as = { uid, gid: uid, cwd: '/', env: {} };
        return JSON.parse((await run(process.execPath, [STRANGER, JSON.stringify(given)], as)).stdout);
      };
      // The command itself has a port: that of its relay.
      expect(given.ports.length).toBeGreaterThan(0);
      const [byAnother, byOwner] = await Promise.all([reachedBy(ORDINARY_UID), reachedBy(owner)]);
      expect(byAnother).toEqual([]);
      expect(byOwner).toEqual([`the socket ${socket}`, `the socket ${uiSocket}`]);
    },
  );
});

test('its sockets are closed to others, in a folder that is, and no process of it listens in this network', async () => {
  const server = await startServer(serverOptions());
  const socket = unixSocketPath(server.address) ?? '';
  expect([socket, server.uiSocket].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
  expect(statSync(join(socket, '..')).mode & 0o777).toBe(0o700);
  expect(withDescendants(server.process.pid)).toHaveLength(2);
  expect(listeningPorts([server.process.pid])).toEqual([]);
});

test('the port by which the SDK reaches it is for the process that opened it', async () => {
  const server = await startServer(serverOptions());
  const dialed = await dial(server.address);
  onTestFinished(() => dialed.close());
  const [, port = ''] = dialed.address.split(':');
  const attempt = `
    const socket = require('node:net').connect(${port}, '127.0.0.1');
    // What a client of HTTP/2 says first, and its settings, which are none: a server answers.
    socket.on('connect', () => socket.write(Buffer.from('505249202a20485454502f322e300d0a0d0a534d0d0a0d0a000000040000000000', 'hex')));
    socket.on('data', () => process.stdout.write('answered'));
    socket.on('error', () => undefined);
    socket.on('close', () => process.stdout.write('closed'));
  `;
  expect((await run(process.execPath, ['-e', attempt])).stdout).toBe('closed');
  // The same from here.
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(Buffer.from('505249202a20485454502f322e300d0a0d0a534d0d0a0d0a000000040000000000', 'hex'));
  await once(socket, 'data');
  socket.destroy();
});

test.each([
  ['its relay', (pid: number) => pid],
  ['the server behind it', (pid: number) => childrenOf(pid)[0] ?? 0],
])('kill -9 of %s ends both, and clients find the next ones on the same address', async (_, processOf) => {
  const options = serverOptions();
  const first = await startServer(options);
  const client = new Client({ connection: await connectionTo(first) });
  await client.workflow.start('any', { taskQueue: 'nobody', workflowId: 'kept' });
  const pids = withDescendants(first.process.pid);
  process.kill(processOf(first.process.pid), 'SIGKILL');
  await until(() => pids.every((pid) => identityOf(pid) === undefined));

  const second = await startServer(options);
  expect(second).toMatchObject({ startedByUs: true, address: first.address });
  expect(await client.workflow.getHandle('kept').describe()).toMatchObject({ status: { name: 'RUNNING' } });
});

describe('a state folder whose path is longer than that of a socket may be', () => {
  const DEEP = 'a-folder-with-a-long-name/'.repeat(8);

  test.each([
    ['XDG_RUNTIME_DIR', (folder: string) => folder, (folder: string) => join(folder, 'durable-rlm')],
    ['/tmp, where there is none', () => undefined, () => `/tmp/durable-rlm-${OWN_UID}`],
    [
      '/tmp, where others can enter it',
      (folder: string) => (chmodSync(folder, 0o755), folder),
      () => `/tmp/durable-rlm-${OWN_UID}`,
    ],
  ])('has its sockets below %s', (_, runtimeOf, expected) => {
    const folder = temporaryFolder();
    const runtime = runtimeOf(folder);
    const files = devServerFiles(join(temporaryFolder(), DEEP, 'temporal.db'));
    const { socket, uiSocket } = prepareSockets(files, runtime === undefined ? {} : { XDG_RUNTIME_DIR: runtime });
    onTestFinished(() => rmSync(join(socket, '..'), { recursive: true }));
    expect(join(socket, '../..')).toBe(expected(folder));
    for (const path of [socket, uiSocket]) expect(Buffer.byteLength(path)).toBeLessThan(108);
    expect(statSync(join(socket, '..')).mode & 0o777).toBe(0o700);
  });

  test('works like any other', async () => {
    const options = serverOptions();
    const stateDirectory = join(options.stateDirectory, DEEP);
    mkdirSync(stateDirectory, { recursive: true });
    const server = await startServer({ ...options, stateDirectory });
    onTestFinished(() => rmSync(join(unixSocketPath(server.address) ?? '', '..'), { recursive: true }));
    const connected = await connectTemporal(embeddedTarget(server));
    await connected.client.workflow.start('any', { taskQueue: 'nobody', workflowId: 'deep' });
    await connected.close();
    const { stdout } = await run(temporal, ['workflow', 'list', '--address', server.address], { env: { HOME: '/' } });
    expect(stdout).toContain('deep');
  });
});

test('where no network namespace can be made it is not started, and the ways on are named', async () => {
  const folder = temporaryFolder();
  const without = [
    '--unshare-user',
    '--disable-userns',
    '--cap-drop',
    'ALL',
    '--bind',
    '/',
    '/',
    '--dev-bind',
    '/dev',
    '/dev',
  ];
  const start = [process.execPath, START, join(folder, 'state'), join(folder, 'cache'), temporal];
  const failed: unknown = await run('bwrap', [...without, ...start]).catch((error: unknown) => error);
  expect(failed).toMatchObject({
    stderr: expect.stringMatching(
      /is not started: it does not ask its clients who they are[^]*No network namespace can be made: unshare: .*\.[^]*--address of a Temporal server of your own/,
    ),
  });
});

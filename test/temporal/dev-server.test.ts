import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../src/domain/search-attributes.ts';
import { devServerArguments, RETENTION_DAYS } from '../../src/temporal/dev-server-arguments.ts';
import { devServerFiles } from '../../src/temporal/dev-server-files.ts';
import { launchDevServer, LOCK_IS_HELD } from '../../src/temporal/dev-server-launcher.ts';
import { prepareSockets } from '../../src/temporal/dev-server-sockets.ts';
import {
  attachDevServer,
  defaultDatabaseFile,
  devServerStatus,
  startOrAttachDevServer,
  stopDevServer,
} from '../../src/temporal/dev-server.ts';
import { findTemporalCli } from '../../src/temporal/find-cli.ts';
import { identityOf, isAlive } from '../../src/temporal/process-identity.ts';
import {
  connectionTo,
  kill,
  serverOptions,
  startServer,
  temporaryFolder,
  testCacheDirectory,
  until,
} from './fixtures.ts';
import { killGroup } from '../kill-group.ts';

describe('starting and attaching', () => {
  test('the second user of a database file gets the server of the first', async () => {
    const options = serverOptions();
    const first = await startServer(options);
    const second = await startServer(options);
    expect(first.startedByUs).toBe(true);
    expect(second).toMatchObject({ startedByUs: false, address: first.address, process: first.process });
  });

  test('a path through a symbolic link means the same database file', async () => {
    const options = serverOptions();
    const first = await startServer(options);
    const link = join(temporaryFolder(), 'link');
    symlinkSync(options.stateDirectory, link);
    const second = await startServer({ ...options, stateDirectory: link });
    expect(second.process).toEqual(first.process);
  });

  test('many who start at the same time, in several processes, get one server', async () => {
    const options = serverOptions();
    const here = [startServer(options), startServer(options), startServer(options)];
    const elsewhere = [command(options.stateDirectory), command(options.stateDirectory)];
    const servers = await Promise.all(here);
    const told = await Promise.all(elsewhere.map(({ started }) => started));
    const pids = [...servers.map((server) => server.process.pid), ...told.map(({ pid }) => pid)];
    expect(new Set(pids).size).toBe(1);
    expect([...servers, ...told].filter(({ startedByUs }) => startedByUs)).toHaveLength(1);
  });

  test('it keeps histories long, has the namespace and its search attributes; what an operator sets stays', async () => {
    const options = { ...serverOptions(), namespace: 'ours' };
    const server = await startServer(options);
    const connection = await connectionTo(server);
    const days = async (): Promise<number> => {
      const { config } = await connection.workflowService.describeNamespace({ namespace: 'ours' });
      return Number(config?.workflowExecutionRetentionTtl?.seconds) / 86_400;
    };
    expect(await days()).toBe(RETENTION_DAYS);
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'ours' });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(SEARCH_ATTRIBUTES.map(({ name }) => name)));
    const config = { workflowExecutionRetentionTtl: msToTs(7 * 86_400_000) };
    await connection.workflowService.updateNamespace({ namespace: 'ours', config });
    await startServer(options);
    expect(await days()).toBe(7);
  });

  test('a namespace that the running server does not have is made', async () => {
    const options = serverOptions();
    await startServer(options);
    const server = await startServer({ ...options, namespace: 'another' });
    await new Client({ connection: await connectionTo(server), namespace: 'another' }).workflow.start('any', {
      taskQueue: 'nobody',
      workflowId: 'in-another',
    });
  });

  test('a server that cannot start is an error with the last lines of its log', async () => {
    const options = serverOptions();
    const database = join(options.stateDirectory, 'temporal.db');
    mkdirSync(options.stateDirectory, { recursive: true });
    writeFileSync(database, 'this is no database');
    await expect(startOrAttachDevServer(options)).rejects.toThrow(/does not start[^]*file is not a database/);
    expect(devServerStatus(database)).toMatchObject({ server: undefined, users: [] });
  });
});

describe('one server for each database file', () => {
  test('the kernel refuses a second server, whatever the files say', async () => {
    const options = serverOptions();
    const server = await startServer(options);
    const files = devServerFiles(server.databaseFile);
    const executable = await findTemporalCli({ cacheDirectory: testCacheDirectory() });
    const settings = { databaseFile: server.databaseFile, namespace: 'default', sync: 'normal' } as const;
    const second = launchDevServer(files, {
      executable,
      serverArguments: devServerArguments(settings),
      sockets: prepareSockets(files),
      environment: {},
    });
    expect(await once(second, 'exit')).toEqual([LOCK_IS_HELD, null]);
    expect(isAlive(server.process)).toBe(true);
  });

  test('a record of a process that has ended, or of one that got its pid, is stale', async () => {
    const options = serverOptions();
    const files = devServerFiles(defaultDatabaseFile(options.stateDirectory));
    const other = identityOf(process.pid);
    mkdirSync(files.folder, { recursive: true });
    const sockets = { socket: '/nonexistent/one', uiSocket: '/nonexistent/other' };
    const record = { process: { ...other, startTime: '1' }, ...sockets, executable: '/bin/true' };
    writeFileSync(files.record, JSON.stringify(record));
    const server = await startServer(options);
    expect(server).toMatchObject({ startedByUs: true, address: expect.not.stringContaining('nonexistent') });
  });

  test('a database whose making was cut off is made anew, one that was ever used is not', async () => {
    const options = serverOptions();
    const files = devServerFiles(defaultDatabaseFile(options.stateDirectory));
    mkdirSync(files.folder, { recursive: true });
    writeFileSync(files.databaseFile, 'the first half of a database');
    writeFileSync(files.making, '');
    const server = await startServer(options);
    expect(server.startedByUs).toBe(true);
    expect(existsSync(files.making)).toBe(false);
  });

  test('characters that mean something to SQLite may be in the path', async () => {
    const options = serverOptions();
    const stateDirectory = join(options.stateDirectory, 'a b?c#d%41ü');
    const server = await startServer({ ...options, stateDirectory });
    expect(existsSync(join(stateDirectory, 'temporal.db'))).toBe(true);
    await expect(startOrAttachDevServer({ ...options, databaseFile: '/tmp/a?b' })).rejects.toThrow(/Choose another/);
    await kill(server.process);
  });

  test('files cut off in the middle do not matter', async () => {
    const options = serverOptions();
    const files = devServerFiles(defaultDatabaseFile(options.stateDirectory));
    mkdirSync(files.users, { recursive: true });
    writeFileSync(files.record, '{"process": {"pid"');
    writeFileSync(join(files.users, '1-x.json'), '');
    const server = await startServer(options);
    expect(server.startedByUs).toBe(true);
  });
});

describe('kill -9', () => {
  test('of the server: the next command starts it where it was, with every workflow', async () => {
    const options = serverOptions();
    const first = await startServer(options);
    const client = new Client({ connection: await connectionTo(first) });
    const handle = await client.workflow.start('any', { taskQueue: 'nobody', workflowId: 'kept' });
    await handle.signal('noted', 'before the kill');
    await kill(first.process);

    const second = await startServer(options);
    expect(second).toMatchObject({ startedByUs: true, address: first.address });
    const described = await client.workflow.getHandle('kept').describe();
    expect(described).toMatchObject({ runId: handle.firstExecutionRunId, status: { name: 'RUNNING' } });
    const { events } = await client.workflow.getHandle('kept').fetchHistory();
    expect(events?.some((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'noted')).toBe(true);
  });

  test('of the server, while a command uses it: that command starts it again where it was', async () => {
    const said: string[] = [];
    const options = serverOptions({ restart: true, log: (line) => said.push(line) });
    const server = await startServer(options);
    const connection = await connectionTo(server);
    await kill(server.process);
    await until(() => devServerStatus(server.databaseFile).server !== undefined);
    await connection.workflowService.getSystemInfo({});
    expect(devServerStatus(server.databaseFile).server?.address).toBe(server.address);
    expect(said.join('\n')).toContain('ended unexpectedly');
    await server.release();
  });

  test('of the command that started it: the next one finds it, and stops it as its last user', async () => {
    const options = serverOptions();
    const crashed = command(options.stateDirectory);
    const { pid } = await crashed.started;
    killGroup(crashed.child);
    await once(crashed.child, 'exit');

    const server = await startServer(options);
    expect(server).toMatchObject({ startedByUs: false, process: { pid } });
    await server.release({ wait: true });
    expect(isAlive(server.process)).toBe(false);
  });
});

describe('the last user stops it', () => {
  test('not the one that started it, while another uses it', async () => {
    const options = serverOptions();
    const first = await startServer(options);
    const second = await startServer(options);
    await first.release({ wait: true });
    expect(isAlive(first.process)).toBe(true);
    await second.release({ wait: true });
    expect(isAlive(first.process)).toBe(false);
    expect(devServerStatus(first.databaseFile)).toMatchObject({ server: undefined, users: [] });
  });

  test('a command that comes while it ends gets a new one on the same address', async () => {
    const options = serverOptions();
    const first = await startServer(options);
    await first.release();
    const second = await startServer(options);
    expect(second).toMatchObject({ startedByUs: true, address: first.address });
    expect(second.process).not.toEqual(first.process);
  });

  test('commands that come and go at random never get a server that ends under them', async () => {
    const options = serverOptions();
    const comeAndGo = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        const server = await startServer(options);
        const connection = await connectionTo(server);
        await connection.workflowService.getSystemInfo({});
        await server.release();
      }
    };
    await Promise.all([comeAndGo(), comeAndGo(), comeAndGo()]);
  });

  test('one that only attaches starts none, and counts as a user of the one it found', async () => {
    const options = serverOptions();
    expect(await attachDevServer(options)).toBeUndefined();
    const first = await startServer(options);
    const second = await attachDevServer(options);
    expect(second).toMatchObject({ startedByUs: false, process: first.process });
    await first.release({ wait: true });
    expect(isAlive(first.process)).toBe(true);
    await second?.release({ wait: true });
    expect(isAlive(first.process)).toBe(false);
    expect(await attachDevServer(options)).toBeUndefined();
  });

  test('stopping by hand needs force while it is used', async () => {
    const options = serverOptions({ restart: true });
    const server = await startServer(options);
    const { databaseFile } = server;
    expect(await stopDevServer({ databaseFile })).toEqual({ stopped: false, users: [process.pid] });
    expect(await stopDevServer({ databaseFile, force: true })).toEqual({ stopped: true, users: [process.pid] });
    expect(isAlive(server.process)).toBe(false);
    await server.release();
  });
});

/** `start-server.ts` in a process group of its own. */
function command(stateDirectory: string): {
  child: ChildProcess;
  started: Promise<{ pid: number; startedByUs: boolean }>;
} {
  const script = fileURLToPath(new URL('start-server.ts', import.meta.url));
  const child = spawn(process.execPath, [script, stateDirectory, testCacheDirectory()], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const started = once(createInterface(child.stdout), 'line').then(([line]: unknown[]) => JSON.parse(String(line)));
  return { child, started };
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterAll, describe, expect, test } from 'vitest';
import { chooseTemporal, connect, embeddedTarget, resolveTemporal } from '../../src/temporal/connection.ts';
import { defaultDatabaseFile } from '../../src/temporal/dev-server.ts';
import { devServerFiles } from '../../src/temporal/dev-server-files.ts';
import { prepareSockets } from '../../src/temporal/dev-server-sockets.ts';
import { dial } from '../../src/temporal/dial.ts';
import { TemporalSetupError } from '../../src/temporal/errors.ts';
import { isAlive } from '../../src/temporal/process-identity.ts';
import { kill, serverOptions, startServer, temporaryFolder, until } from './fixtures.ts';

/** No file of the user's has a say. */
const EMPTY = { TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml' };

const listeners: Server[] = [];
afterAll(() => {
  for (const listener of listeners) listener.close();
});

function withConfigFile(toml: string): NodeJS.ProcessEnv {
  const file = join(temporaryFolder(), 'temporal.toml');
  writeFileSync(file, toml);
  return { TEMPORAL_CONFIG_FILE: file };
}

describe('which server', () => {
  const config = { address: 'from-config:1', namespace: 'config-namespace' };

  test('none that was asked for: the embedded one', () => {
    expect(chooseTemporal({ env: EMPTY })).toBeUndefined();
    expect(chooseTemporal({ env: { ...EMPTY, TEMPORAL_NAMESPACE: 'mine' } })).toBeUndefined();
  });

  test('the command line counts before the environment, the environment before the configuration', () => {
    const env = { ...EMPTY, TEMPORAL_ADDRESS: 'from-env:1', TEMPORAL_NAMESPACE: 'env-namespace' };
    expect(chooseTemporal({ env: EMPTY, config })).toMatchObject(config);
    expect(chooseTemporal({ env, config })).toMatchObject({ address: 'from-env:1', namespace: 'env-namespace' });
    expect(chooseTemporal({ env, config, address: 'given:1', namespace: 'given' })).toMatchObject({
      address: 'given:1',
      namespace: 'given',
      options: { address: 'given:1' },
    });
  });

  test('a profile brings address, namespace, API key, TLS and headers', () => {
    const env = withConfigFile(`
      [profile.cloud]
      address = "cloud.example:7233"
      namespace = "team"
      api_key = "secret"
      [profile.cloud.tls]
      server_name = "sni.example"
      [profile.cloud.grpc_meta]
      tenant = "one"
    `);
    const target = chooseTemporal({ env, profile: 'cloud', config });
    expect(target).toMatchObject({ address: 'cloud.example:7233', namespace: 'team' });
    expect(target?.options).toMatchObject({
      apiKey: 'secret',
      tls: { serverNameOverride: 'sni.example' },
      metadata: { tenant: 'one' },
    });
    expect(chooseTemporal({ env: { ...env, TEMPORAL_PROFILE: 'cloud' } })).toMatchObject({ namespace: 'team' });
    expect(chooseTemporal({ env })).toBeUndefined();
  });

  test('an address that leads to the embedded server names no other one', () => {
    const folder = temporaryFolder();
    for (const state of [folder, join(folder, 'long'.repeat(30))]) {
      mkdirSync(state, { recursive: true });
      const databaseFile = defaultDatabaseFile(state);
      const { socket } = prepareSockets(devServerFiles(databaseFile));
      const env = withConfigFile(`[profile.durable-rlm]\naddress = "unix://${socket}"\nnamespace = "default"`);
      expect(chooseTemporal({ env, profile: 'durable-rlm', databaseFile })).toBeUndefined();
      expect(chooseTemporal({ env: { ...env, TEMPORAL_PROFILE: 'durable-rlm' }, databaseFile })).toBeUndefined();
      expect(chooseTemporal({ env: EMPTY, address: `unix://${socket}`, databaseFile })).toBeUndefined();
      const other = defaultDatabaseFile(join(state, 'other'));
      expect(chooseTemporal({ env, profile: 'durable-rlm', databaseFile: other })).toMatchObject({
        address: `unix://${socket}`,
      });
    }
  });

  test('a profile that is missing, broken or without an address is an error that says what to do', () => {
    const env = withConfigFile('[profile.local]\nnamespace = "x"');
    expect(() => chooseTemporal({ env, profile: 'other' })).toThrow(/profile "other"[^]*not found[^]*--address/);
    expect(() => chooseTemporal({ env, profile: 'local' })).toThrow(/names no address[^]*temporal config set/);
    expect(() => chooseTemporal({ env: withConfigFile('= no toml'), address: 'a:1' })).toThrow(TemporalSetupError);
  });
});

describe('a server that does not answer is an error within 10 s', { concurrent: true }, () => {
  test('nothing listens', async ({ expect: expectHere }) => {
    const address = await listening((server) => server.close());
    await expectHere(connectTo(address)).rejects.toThrow(/does not answer: connect ECONNREFUSED[^]*--address/);
  }, 10_000);

  test('something listens and says nothing', async ({ expect: expectHere }) => {
    const address = await listening(() => undefined);
    await expectHere(connectTo(address)).rejects.toThrow(TemporalSetupError);
  }, 10_000);

  test('something listens that is no Temporal server', async ({ expect: expectHere }) => {
    const address = await listening((server) => {
      server.on('connection', (socket) => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'));
    });
    await expectHere(connectTo(address)).rejects.toThrow(TemporalSetupError);
  }, 10_000);

  test('a host that does not exist', async ({ expect: expectHere }) => {
    await expectHere(connectTo('no-such-host.invalid:7233')).rejects.toThrow(/no-such-host\.invalid/);
  }, 10_000);
});

test('the embedded server serves client and worker, and ends with its last user', async () => {
  const temporal = await resolveTemporal({ env: EMPTY, config: { namespace: 'ours' } }, serverOptions());
  expect(temporal).toMatchObject({ namespace: 'ours', embedded: { startedByUs: true } });
  await temporal.client.workflow.start('any', { taskQueue: 'nobody', workflowId: 'one' });
  const worker = await temporal.connectWorker();
  await worker.workflowService.getSystemInfo({});
  await worker.close();
  await temporal.close();
  const server = temporal.embedded?.process;
  await until(() => server !== undefined && !isAlive(server));
});

test('an embedded server that is killed is started again, and every way to connect to it waits for that', async () => {
  const temporal = await resolveTemporal({ env: EMPTY }, serverOptions({ restart: true }));
  await temporal.client.workflow.start('any', { taskQueue: 'nobody', workflowId: 'kept' });
  const { embedded } = temporal;
  if (embedded === undefined) throw new Error('there is no embedded server');
  await kill(embedded.process);
  const [worker, second] = await Promise.all([temporal.connectWorker(), connect(embeddedTarget(embedded))]);
  await worker.workflowService.getSystemInfo({});
  expect(await second.client.workflow.getHandle('kept').describe()).toMatchObject({ status: { name: 'RUNNING' } });
  await worker.close();
  await second.close();
  await temporal.close();
});

test('a cluster keeps its id over restarts, and two clusters have two', async () => {
  const options = serverOptions();
  const first = await startServer(options);
  const before = await clusterOf(first);
  await kill(first.process);
  expect(await clusterOf(await startServer(options))).toBe(before);
  expect(await clusterOf(await startServer(serverOptions()))).not.toBe(before);
});

test('a namespace that does not exist is an error that names the command to create it', async () => {
  const server = await startServer(serverOptions());
  await expect(connect({ ...embeddedTarget(server), namespace: 'missing' })).rejects.toThrow(
    /no namespace "missing"[^]*temporal operator namespace create --namespace missing/,
  );
});

async function clusterOf(server: { address: string; namespace: string }): Promise<string> {
  const connected = await connect(embeddedTarget(server));
  await connected.close();
  return connected.clusterId;
}

async function connectTo(address: string): Promise<void> {
  const connected = await connect({ address, namespace: 'default', options: { address } });
  await connected.close();
}

async function listening(prepare: (server: Server) => void): Promise<string> {
  const server = createServer();
  listeners.push(server);
  server.on('connection', (socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  prepare(server);
  return `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
}

test('a retry that is due after the connection was closed ends its call, not the process', async () => {
  // Accepts and hangs up, so that each call fails at once as one to try again.
  const hangsUp = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  listeners.push(hangsUp);
  await once(hangsUp, 'listening');
  const { port } = hangsUp.address() as AddressInfo;
  const { clientOptions } = await dial(`127.0.0.1:${port}`);
  const connection = Connection.lazy({ address: `127.0.0.1:${port}`, ...clientOptions });
  const calls = Array.from({ length: 20 }, () => connection.workflowService.getSystemInfo({}));
  await once(hangsUp, 'connection');
  const outcomes = Promise.allSettled(calls);
  const after = setTimeout(() => void connection.close(), 150);
  const settled = await outcomes;
  clearTimeout(after);
  expect(settled.map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
  expect(settled.some((each) => each.status === 'rejected' && /shut down/.test(String(each.reason)))).toBe(true);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { onTestFinished } from 'vitest';
import { cacheDirectory } from '../../src/config/directories.ts';
import { type DevServer, type DevServerOptions, startOrAttachDevServer } from '../../src/temporal/dev-server.ts';
import { defaultDatabaseFile, devServerStatus } from '../../src/temporal/dev-server.ts';
import { dial } from '../../src/temporal/dial.ts';
import { isAlive, type ProcessIdentity, signal } from '../../src/temporal/process-identity.ts';

/** The user's own cache: a CLI that is there is not installed again. */
export function testCacheDirectory(): string {
  return cacheDirectory(process.env);
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-temporal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A state folder of its own; whatever server still runs on its database is killed after the test. */
export function serverOptions(overrides: Partial<DevServerOptions> = {}): DevServerOptions {
  const stateDirectory = temporaryFolder();
  onTestFinished(async () => {
    const { server } = devServerStatus(defaultDatabaseFile(stateDirectory));
    if (server !== undefined) await kill(server.process);
  });
  return { stateDirectory, cacheDirectory: testCacheDirectory(), restart: false, ...overrides };
}

/** A server that is killed after the test, without the second that a graceful end takes. */
export async function startServer(options: DevServerOptions): Promise<DevServer> {
  const server = await startOrAttachDevServer(options);
  onTestFinished(() => kill(server.process));
  return server;
}

/** A connection of gRPC's own client to an embedded server. */
export async function connectionTo({ address }: Pick<DevServer, 'address'>): Promise<Connection> {
  const dialed = await dial(address);
  const connection = await Connection.connect({ ...dialed.clientOptions, address: dialed.address });
  onTestFinished(async () => {
    await connection.close();
    await dialed.close();
  });
  return connection;
}

/** Kills -9 and waits until the process is gone. */
export async function kill(identity: ProcessIdentity): Promise<void> {
  signal(identity, 'SIGKILL');
  await until(() => !isAlive(identity));
}

/** Looks again every few milliseconds until it is so; fails after 20 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Still not so after 20 s: ${condition.toString()}`);
    await delay(10);
  }
}

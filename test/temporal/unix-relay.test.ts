import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { openUnixRelay } from '../../src/temporal/unix-relay.ts';
import { temporaryFolder } from './fixtures.ts';

const ORDINARY_UID = 61_001;

/** A port that leads to a socket on which a secret is told to whoever comes. */
async function relayToSecret(): Promise<number> {
  const path = join(temporaryFolder(), 'secret.sock');
  const server = createServer((socket) => socket.on('error', () => undefined).end('secret')).listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const relay = await openUnixRelay(path);
  onTestFinished(() => relay.close());
  return Number(relay.address.split(':')[1]);
}

async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** What another process is told that connects from this address and port; as another user where that can be. */
async function toldTo(port: number, from: { readonly address: string; readonly port: number }): Promise<string> {
  const attempt = `
    const socket = require('node:net').connect({ host: '127.0.0.1', port: ${port}, localAddress: '${from.address}', localPort: ${from.port} });
    socket.on('data', (data) => process.stdout.write(data));
    socket.on('error', (error) => process.stdout.write(error.code === 'ECONNRESET' ? '' : error.code));
  `;
  const other = process.getuid?.() === 0 ? { uid: ORDINARY_UID, gid: ORDINARY_UID } : {};
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', attempt], { cwd: '/', ...other });
  return stdout;
}

test('the relay serves the process that opened it', async () => {
  const socket = await connected(await relayToSecret());
  const [data] = (await once(socket, 'data')) as [Buffer];
  expect(data.toString()).toBe('secret');
});

test('and nobody who connects from the port of one of its connections, at another address of the loopback', async () => {
  const port = await relayToSecret();
  const own = (await connected(port)).address() as AddressInfo;
  expect(await toldTo(port, { address: '127.0.0.2', port: own.port })).toBe('');
  expect(await toldTo(port, { address: '127.0.0.1', port: 0 })).toBe('');
});

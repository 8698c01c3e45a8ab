import { once } from 'node:events';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectKernel } from '../../src/sandbox/kernel-client.ts';
import { kernelRequests } from '../../src/sandbox/kernel-http.ts';
import type { Kernel } from '../../src/sandbox/provider.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

const INFO = { protocol: 1, python: '3.11.2', generation: 0, block: 0, head: '', status: 'new', restarts: 0 };
const CALL = { type: 'call', cursor: 1, call: '1.1', function: 'f', arguments: {}, hash: 'a'.repeat(64) };
const RESULT = {
  status: 'ok',
  stdout: '',
  stderr: '',
  stdout_length: 0,
  stderr_length: 0,
  error: null,
  final: null,
  execution_time: 0.1,
};
const DONE = { type: 'done', cursor: 1, result: RESULT };
const EVENTS = { events: [] as unknown[], cursor: 0, state: 'running', pending: [] as unknown[] };

describe('a client whose kernel is another program', () => {
  let server: Server;
  let kernel: Kernel;
  let seen: string[];
  let respond: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    seen = [];
    server = createServer((request, response) => {
      seen.push(request.url ?? '');
      request.resume();
      respond(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    kernel = connectKernel({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`,
      headers: { 'x-token': 't' },
    });
  });

  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const says = (value: unknown, status = 200): void => {
    respond = (_, response) => {
      response.writeHead(status).end(typeof value === 'string' ? value : JSON.stringify(value));
    };
  };

  it('asks below the path of the URL, with the headers it was given', async () => {
    let headers: unknown;
    respond = (request, response) => {
      headers = request.headers;
      response.end(JSON.stringify(INFO));
    };
    expect(await kernel.info()).toEqual(INFO);
    expect(seen).toEqual(['/base/v1/info']);
    expect(headers).toMatchObject({ 'x-token': 't' });
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '<html>'],
    ['a list', []],
    ['null', 'null'],
    ['another protocol', { ...INFO, protocol: 2 }],
    ['a field of another type', { ...INFO, block: '1' }],
    ['a missing field', { ...INFO, head: undefined }],
    ['a negative number', { ...INFO, restarts: -1 }],
    ['an unknown status', { ...INFO, status: 'fine' }],
    ['an overlong text', { ...INFO, head: 'x'.repeat(2000) }],
    ['too much', { ...INFO, head: 'x'.repeat(100_000) }],
    ['deep nesting', `${'{"a":'.repeat(50_00)}1${'}'.repeat(50_00)}`],
    ['half a surrogate pair', '{"head":"\\ud800"}'],
  ])('does not believe an info that is %s', async (_, value) => {
    says(value);
    await expect(kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
  });

  it.each<[string, object]>([
    ['events that are no list', { events: {} }],
    ['an unknown event', { events: [{ ...CALL, type: 'x' }], cursor: 1 }],
    ['a cursor that jumps', { events: [{ ...CALL, cursor: 2 }], cursor: 2 }],
    ['a cursor beyond the events', { cursor: 1 }],
    ['a call of another block', { events: [{ ...CALL, call: '2.1' }], cursor: 1 }],
    ['a hash that is none', { events: [{ ...CALL, hash: 'A'.repeat(64) }], cursor: 1 }],
    ['arguments that are a list', { events: [{ ...CALL, arguments: [] }], cursor: 1 }],
    ['an end that is not the last', { events: [DONE, { ...CALL, cursor: 2 }], cursor: 2, state: 'done' }],
    ['an end that continues', { events: [DONE], cursor: 1, state: 'running' }],
    ['an end with an unknown status', { events: [{ ...DONE, result: { ...RESULT, status: 'x' } }], cursor: 1 }],
    ['an error that is a number', { events: [{ ...DONE, result: { ...RESULT, error: 1 } }], cursor: 1, state: 'done' }],
    ['a final without a value', { events: [{ ...DONE, result: { ...RESULT, final: {} } }], cursor: 1, state: 'done' }],
    ['a pending call that is no name', { pending: ['x'] }],
    ['a pending call of another block', { pending: ['2.1'] }],
    ['too many pending calls', { pending: Array.from({ length: 10_001 }, (_, at) => `1.${at}`) }],
  ])('does not believe %s', async (_, change) => {
    says({ ...EVENTS, ...change });
    await expect(kernel.events({ block: 1, after: 0, waitMs: 0 })).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
  });

  it('takes what is right, and nothing besides', async () => {
    says({ events: [CALL, { ...DONE, cursor: 2, extra: 1 }], cursor: 2, state: 'done', pending: ['1.1'], extra: 1 });
    expect(await kernel.events({ block: 1, after: 0, waitMs: 0 })).toEqual({
      events: [CALL, { ...DONE, cursor: 2 }],
      cursor: 2,
      state: 'done',
      pending: ['1.1'],
    });
  });

  it('takes values as they are: null, and names that mean something to JavaScript', async () => {
    const text =
      `{"events":[{"type":"call","cursor":1,"call":"1.1","function":"f","hash":"${'a'.repeat(64)}",` +
      '"arguments":{"__proto__":{"a":1},"b":null}}],"cursor":1,"state":"running","pending":[]}';
    says(text);
    const { events } = await kernel.events({ block: 1, after: 0, waitMs: 0 });
    expect(events.map((event) => event.type === 'call' && Object.entries(event.arguments))).toEqual([
      [
        ['__proto__', { a: 1 }],
        ['b', null],
      ],
    ]);
    says({ ...EVENTS, events: [{ ...DONE, result: { ...RESULT, final: { value: null } } }], state: 'done', cursor: 1 });
    expect((await kernel.events({ block: 1, after: 0, waitMs: 0 })).events[0]).toMatchObject({
      result: { final: { value: null } },
    });
  });

  it.each(['before its head', 'in its middle'])('a reply that stops %s is an error that may pass', async (place) => {
    respond = (_, response) => {
      if (place === 'in its middle') response.writeHead(200, { 'content-length': '100' }).write('{');
    };
    const { port } = server.address() as AddressInfo;
    const send = kernelRequests({ url: `http://127.0.0.1:${port}` });
    const waiting = send({ method: 'GET', path: '/v1/info', replyLimit: 1000, timeoutMs: 100, idempotent: true });
    const error: unknown = await waiting.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: 'The kernel did not answer /v1/info within 0.1 s.' });
    expect(error).not.toHaveProperty('type');
  });

  it('can be aborted in the middle of a reply', async () => {
    const controller = new AbortController();
    respond = (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{', () => controller.abort(new Error('enough')));
    };
    await expect(kernel.events({ block: 1, after: 0, waitMs: 0 }, controller.signal)).rejects.toThrow('enough');
  });

  it('does not believe a command whose output is no base64, or has no code', async () => {
    for (const value of [
      { code: 0, stdout: '*', stderr: '', truncated: false },
      { stdout: '', stderr: '', truncated: false },
    ]) {
      says(value);
      // oxlint-disable-next-line no-await-in-loop
      await expect(kernel.process({ argv: ['x'] })).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
    }
  });

  it.each([
    [409, 'Sandbox.Diverged'],
    [400, 'Input.Invalid'],
    [413, 'Input.Invalid'],
  ])("status %i is %s, with the kernel's words made harmless", async (status, type) => {
    says({ error: 'x', message: 'told\u001b[31m you' }, status);
    await expect(kernel.info()).rejects.toMatchObject({ type, message: 'The kernel refused: told [31m you.' });
  });

  it.each([500, 503, 401, 302, 999])('status %i is an error that may pass', async (status) => {
    says('<html>', status);
    const error: unknown = await kernel.info().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toHaveProperty('type');
  });

  it('a connection that is cut is tried again, except for a command', async () => {
    let cut = 1;
    respond = (request, response) => {
      if (request.url !== '/base/v1/info' && cut-- > 0) response.destroy();
      else response.end(JSON.stringify(request.url === '/base/v1/info' ? INFO : EVENTS));
    };
    expect(await kernel.events({ block: 1, after: 0, waitMs: 0 })).toEqual(EVENTS);
    cut = 1;
    const error: unknown = await kernel.process({ argv: ['x'] }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringMatching(/cut during a command/) });
    expect(error).not.toHaveProperty('type');
    expect(seen.filter((url) => url === '/base/v1/process')).toHaveLength(1);
  });

  it('a reply that ends in the middle, again and again, is a lost sandbox', async () => {
    respond = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    };
    await expect(kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
  });

  it('so is a gateway that finds nobody', async () => {
    says('bad gateway', 502);
    await expect(kernel.info()).rejects.toMatchObject({ type: 'Sandbox.Lost' });
  });

  it('can be aborted while it waits', async () => {
    const controller = new AbortController();
    respond = () => {
      controller.abort(new Error('enough'));
    };
    await expect(kernel.events({ block: 1, after: 0, waitMs: 30_000 }, controller.signal)).rejects.toThrow('enough');
    await expect(kernel.process({ argv: ['x'] }, controller.signal)).rejects.toThrow('enough');
  });
});

describe('a client and its kernel', () => {
  it('reach each other through a folder that is held open', async () => {
    const under = await KernelUnderTest.start();
    const folder = openSync(dirname(under.socketPath), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const kernel = connectKernel({ socketPath: `/proc/self/fd/${folder}/socket` });
      expect(await kernel.info()).toMatchObject({ status: 'idle' });
    } finally {
      closeSync(folder);
      await under.stop();
    }
  });

  it('stay with the folder that is held open, whatever its path leads to later', async () => {
    const under = await KernelUnderTest.start({ generation: 7 });
    const path = dirname(under.socketPath);
    const O_PATH = 0o10000000;
    const folder = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const aside = `${path}-aside`;
    renameSync(path, aside);
    mkdirSync(path);
    const decoy = createServer((_, response) => response.end(JSON.stringify(INFO))).listen(join(path, 'socket'));
    await once(decoy, 'listening');
    try {
      const kernel = connectKernel({ socketPath: `/proc/self/fd/${folder}/socket` });
      expect(await kernel.info()).toMatchObject({ generation: 7 });
      expect(await connectKernel({ socketPath: join(path, 'socket') }).info()).toMatchObject({ generation: 0 });
    } finally {
      closeSync(folder);
      decoy.closeAllConnections();
      await new Promise((resolve) => decoy.close(resolve));
      rmSync(path, { recursive: true });
      renameSync(aside, path);
      await under.stop();
    }
  });

  it('is lost where there is no socket, and where it dies during a poll', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-none-'));
    await expect(connectKernel({ socketPath: join(folder, 'socket') }).info()).rejects.toMatchObject({
      type: 'Sandbox.Lost',
    });
    rmSync(folder, { recursive: true });
    const under = await KernelUnderTest.start();
    await under.exec('print("x", flush=True)\nwhile True: pass');
    const poll = under.events();
    under.process.kill('SIGKILL');
    await expect(poll).rejects.toMatchObject({ type: 'Sandbox.Lost' });
    await under.stop();
  });
});

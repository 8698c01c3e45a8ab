import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeAll(async () => {
  under = await KernelUnderTest.start({ generation: 2 });
});

afterAll(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

/** Sends bytes and returns all that comes back until the other side, or this one by `half`, ends. */
async function raw(text: string | readonly string[]): Promise<string> {
  const socket = connect(under.socketPath);
  let received = '';
  socket.on('data', (part: Buffer) => {
    received += part.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const part of typeof text === 'string' ? [text] : text) socket.write(part, 'latin1');
  await once(socket, 'close');
  return received;
}

function post(path: string, body: string, headers = ''): string {
  return `POST ${path} HTTP/1.1\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;

function statusOf(reply: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(reply)?.[1]);
}

function bodyOf(reply: string): unknown {
  return JSON.parse(reply.slice(reply.indexOf('\r\n\r\n') + 4));
}

describe('HTTP', () => {
  it('answers several requests on one connection, sent at once, in order', async () => {
    const reply = await raw(
      'GET /v1/info HTTP/1.1\r\n\r\n'.repeat(500) +
        'POST /v1/renew HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}' +
        get('/nothing'),
    );
    const statuses = [...reply.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]);
    expect(statuses).toEqual([...Array<string>(501).fill('200'), '404']);
  });

  it('takes a request in pieces of any size', async () => {
    expect(statusOf(await raw(post('/v1/renew', '{}').split('')))).toBe(200);
  });

  it('answers HTTP/1.0 and Expect: 100-continue', async () => {
    expect(statusOf(await raw('GET /v1/info HTTP/1.0\r\n\r\n'))).toBe(200);
    expect(await raw(post('/v1/renew', '{}', 'Expect: 100-continue\r\n'))).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/,
    );
  });

  it.each([
    ['not HTTP', 'hello\r\n\r\n', 400],
    ['another version', 'GET /v1/info HTTP/2\r\n\r\n', 400],
    ['no path', 'GET v1 HTTP/1.1\r\n\r\n', 400],
    ['a header without a colon', 'GET /v1/info HTTP/1.1\r\nbroken\r\n\r\n', 400],
    ['two lengths', 'POST /v1/renew HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 400],
    ['a negative length', 'POST /v1/renew HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}', 400],
    ['a chunked body', 'POST /v1/renew HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 411],
    ['a body beyond 256 MiB', 'POST /v1/exec HTTP/1.1\r\nContent-Length: 268435457\r\n\r\n', 413],
    ['a head beyond 16 KiB', `GET /v1/info HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['an endless head', 'x'.repeat(20_000), 431],
    ['an unknown path', get('/v2/info'), 404],
    ['another method', get('/v1/exec'), 405],
    ['a body that is not JSON', post('/v1/exec', '{"a":'), 400],
    ['NaN', post('/v1/exec', '{"generation":NaN}'), 400],
    ['a number out of range', post('/v1/exec', '{"generation":1e999}'), 400],
    ['a body that is no object', post('/v1/exec', '[]'), 400],
    ['JSON nested 100,000 deep', post('/v1/setup', '['.repeat(100_000)), 400],
    ['text after the JSON', post('/v1/renew2', '{} {}'), 404],
    ['a body that is not UTF-8', post('/v1/exec', '{"head":"\xff"}').replace(/Length: \d+/, 'Length: 12'), 400],
    ['no block', get('/v1/events'), 400],
    ['a block that is no number', get('/v1/events?block=-1'), 400],
    ['an unknown stream', get('/v1/output?block=0&stream=x'), 409],
  ])('refuses %s', async (_, request, status) => {
    const reply = await raw(request);
    expect(statusOf(reply)).toBe(status);
    expect(bodyOf(reply)).toEqual({ error: expect.any(String), message: expect.any(String) });
  });

  it.each<[string, Record<string, unknown>]>([
    ['exec of another generation', { generation: 1 }],
    ['a stale block', { block: 0 }],
  ])('409 on %s names the kind', async (_, change) => {
    const body = { generation: 2, block: 9, head: 'h', code: '', timeout: 1, output_limit: 1, ...change };
    const reply = await raw(post('/v1/exec', JSON.stringify(body)));
    expect([statusOf(reply), bodyOf(reply)]).toEqual(
      'generation' in change
        ? [409, { error: 'generation', message: 'this sandbox has generation 2, not 1' }]
        : [400, { error: 'malformed', message: 'block is out of range' }],
    );
  });

  it.each<[string, unknown]>([
    ['generation', '2'],
    ['block', 1.5],
    ['block', true],
    ['head', 1],
    ['code', null],
    ['timeout', 0],
    ['timeout', '1'],
    ['output_limit', -1],
    ['output_limit', 1e12],
  ])('400 on exec with %s = %j', async (name, value) => {
    const body = { generation: 2, block: 1, head: 'h', code: '', timeout: 1, output_limit: 1, [name]: value };
    expect(statusOf(await raw(post('/v1/exec', JSON.stringify(body))))).toBe(400);
  });

  it('gives up the least used connections when there are too many', async () => {
    const sockets: Socket[] = [];
    for (let wave = 0; wave < 6; wave += 1) {
      // As many as a listening socket surely keeps waiting.
      const connecting = Array.from({ length: 50 }, () => connect(under.socketPath).on('error', () => {}));
      sockets.push(...connecting);
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all(connecting.map((socket) => once(socket, 'connect')));
      // An answer shows that these have been accepted, and that there is room for the next.
      // oxlint-disable-next-line no-await-in-loop
      await under.kernel.info();
    }
    expect(await under.kernel.info()).toMatchObject({ generation: 2 });
    for (const socket of sockets) socket.destroy();
  });
});

describe('the number of a block', () => {
  it('attaches, is stale, diverges', async () => {
    const diverged = { type: 'Sandbox.Diverged' };
    await expect(under.exec('', { block: 2 })).rejects.toMatchObject(diverged);
    await under.exec('llm_query("x")', { block: 1, head: 'a' });
    expect(await under.exec('print("never")', { block: 1, head: 'a' })).toMatchObject({ block: 1, status: 'running' });
    await expect(under.exec('', { block: 1, head: 'b' })).rejects.toMatchObject({
      ...diverged,
      message: 'The kernel refused: block 1 is named a here.',
    });
    await expect(under.exec('', { block: 2, head: 'b' })).rejects.toMatchObject({
      ...diverged,
      message: 'The kernel refused: block 1 still runs.',
    });
    const kernel = under.kernel;
    expect(await kernel.events({ block: 1, after: 0, waitMs: 10_000 })).toMatchObject({ pending: ['1.1'] });
    await kernel.answer({ generation: 2, block: 1, answers: [{ call: '1.1', value: 'y' }] });
    await kernel.events({ block: 1, after: 1, waitMs: 10_000 });
    // Kept until the next block begins.
    expect(await kernel.events({ block: 1, after: 0, waitMs: 0 })).toMatchObject({
      state: 'done',
      events: [{ type: 'call' }, { type: 'done', result: { stdout: "'y'\n" } }],
    });
    expect(await under.exec('', { block: 1, head: 'a' })).toMatchObject({ block: 1, status: 'idle' });
    await under.exec('', { block: 2, head: 'b' });
    await expect(under.exec('', { block: 1, head: 'a' })).rejects.toMatchObject({
      ...diverged,
      message: 'The kernel refused: block 1 is over; the current one is 2.',
    });
    await expect(kernel.events({ block: 1, after: 0, waitMs: 0 })).rejects.toMatchObject(diverged);
    await expect(kernel.events({ block: 3, after: 0, waitMs: 0 })).rejects.toMatchObject(diverged);
    await expect(kernel.output({ block: 3, stream: 'stdout', offset: 0 })).rejects.toMatchObject(diverged);
    await expect(kernel.interrupt({ generation: 2, block: 1 })).rejects.toMatchObject(diverged);
    await expect(kernel.answer({ generation: 2, block: 1, answers: [] })).rejects.toMatchObject(diverged);
    await expect(kernel.answer({ generation: 1, block: 2, answers: [] })).rejects.toMatchObject(diverged);
  });
});

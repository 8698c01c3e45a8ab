import { once } from 'node:events';
import { createServer, connect, type Server } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TypedError } from '../../src/domain/failures.ts';
import { connectKernel } from '../../src/sandbox/kernel-client.ts';
import { sized } from '../sizes.ts';
import { KernelUnderTest } from './kernel-under-test.ts';
import { Chance } from './chance.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_240_601);
/** Of ten requests at the same time, or of a reply on each of the lines. */
const ROUNDS = sized({ requests: 50, replies: 1 }, { requests: 500, replies: 8 });
const TEN = [...Array(10).keys()];
const LINES = [...Array(50).keys()];

describe(`a supervisor that is sent anything (FUZZ_SEED=${SEED})`, () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it('stays alive and correct', async () => {
    const chance = new Chance(SEED);
    for (let round = 0; round < ROUNDS.requests; round += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all(TEN.map(() => disturb(under.socketPath, chance.request())));
    }
    const { block, restarts } = await under.kernel.info();
    expect([block, restarts]).toEqual([0, 0]);
    expect(await under.run('print(llm_query("still"))')).toMatchObject({ status: 'ok', stdout: 'answer to still\n' });
  });

  it('outlives code that writes to its channels', async () => {
    const forged = `
import os, random, socket, array
random.seed(${SEED})
def noise(fd):
    for _ in range(300):
        kind = random.randrange(5)
        data = [random.getrandbits(8 * 150).to_bytes(150, "big")[:random.randrange(1, 150)], b"\\xff\\xff\\xff\\xff", b"\\x00\\x00\\x00\\x02{}", b"\\x00\\x00\\x00\\x04null",
                (lambda b: len(b).to_bytes(4, "big") + b)(b'{"type":"setup","error":7,"block":"x"}')][kind]
        try: os.write(fd, data)
        except OSError: return
noise(100)
`;
    // A broken control channel costs the REPL, never the supervisor. What looks like the beginning of a long message is
    // waited for, as long as the block may take.
    const first = await under.run(forged, { timeout: 0.5 });
    expect(['ok', 'crashed', 'error', 'timeout']).toContain(first.status);
    const announced = 'import os\nos.write(100, b"\\x00\\x10\\x00\\x00half of it")';
    expect(await under.run(announced, { timeout: 0.3 })).toMatchObject({ status: 'timeout' });
    const bridge = `
import gc, os, socket
bridge = next(each for each in gc.get_objects() if type(each).__name__ == "Bridge")
def line(data, close=True):
    a = socket.socket(socket.AF_UNIX)
    a.connect(bridge._address); a.setblocking(False)
    try: a.send(data)
    except OSError: pass
    if close: a.close()
    return a
frame = lambda b: len(b).to_bytes(4, "big") + b
kept = [line(d, close) for close in (True, False) for d in (
    b"", b"\\x00", b"\\xff\\xff\\xff\\xff", frame(b"7"), frame(b"[]"), frame(b"{}"), frame(b"not json"),
    frame(b'{"type":"final"}')[:-1], frame(b'{"type":"call","function":7,"arguments":{}}'),
    frame(b'{"type":"call","function":"f","arguments":[]}'), frame(b'{"type":"call","function":"llm_query","arguments":{"a":1e999}}'),
    frame(b'{"type":"call","function":"llm_query","arguments":' + b'{"a":' * 900 + b'1' + b'}' * 900 + b'}'),
    frame(b'{"type":"call","function":"llm_query","arguments":{"a":"\\\\ud800"}}'), frame(b'{"type":"final","value":"\\\\ud800"}'),
    frame(b'{"type":"call","function":"f","pid":-1,"descriptor":-9,"arguments":{}}')[:-3])]
[a.close() for a in kept]
print(llm_query("afterwards"))`;
    expect(await under.run(bridge)).toMatchObject({ status: 'ok', stdout: 'answer to afterwards\n' });
  });
});

describe(`a client that is sent anything (FUZZ_SEED=${SEED})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kernel-forged-'));
  const chance = new Chance(SEED);
  const replies: Buffer[] = [];
  let servers: readonly Server[];
  const socketPath = (place: number): string => join(folder, `socket-${place}`);

  beforeAll(async () => {
    servers = LINES.map((place) =>
      createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(replies[place] ?? ''));
      }).listen(socketPath(place)),
    );
    await Promise.all(servers.map((server) => once(server, 'listening')));
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => once(server.close(), 'close')));
    rmSync(folder, { recursive: true });
  });

  it('fails with an error, and never believes it', async () => {
    const kernels = LINES.map((place) => connectKernel({ socketPath: socketPath(place) }));
    for (let round = 0; round < ROUNDS.replies; round += 1) {
      for (const place of LINES) replies[place] = chance.reply();
      // oxlint-disable-next-line no-await-in-loop
      const outcomes = await Promise.allSettled(
        kernels.map((kernel) => kernel.events({ block: 1, after: 0, waitMs: 0 })),
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Error);
        else
          expect(outcome.value).toMatchObject({
            cursor: expect.any(Number),
            state: expect.stringMatching(/^(running|waiting|done)$/),
          });
      }
    }
  });

  it('refuses an endless reply before it fills memory', async () => {
    replies[0] = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n${'x'.repeat(200_000)}`);
    const outcome = await connectKernel({ socketPath: socketPath(0) })
      .info()
      .catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(TypedError);
    expect(outcome).toMatchObject({ type: 'Sandbox.Diverged' });
  });
});

/** Sends bytes, reads whatever comes, hangs up at once or when the other side does. */
async function disturb(socketPath: string, { bytes, hangUp }: { bytes: Buffer; hangUp: boolean }): Promise<void> {
  const socket = connect(socketPath);
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  socket.end(bytes);
  if (hangUp) socket.destroy();
  else await once(socket, 'close');
}

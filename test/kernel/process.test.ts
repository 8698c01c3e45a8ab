import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessRequest } from '../../src/domain/kernel-protocol.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeAll(async () => {
  under = await KernelUnderTest.start();
});

afterAll(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

const latin = (data: string): string => Buffer.from(data, 'base64').toString('latin1');

async function run(request: ProcessRequest, signal?: AbortSignal): Promise<[number, string, string, boolean]> {
  const reply = await under.kernel.process(request, signal);
  return [reply.code, latin(reply.stdout), latin(reply.stderr), reply.truncated];
}

const shell = (script: string, more: Partial<ProcessRequest> = {}): ProcessRequest => ({
  argv: ['sh', '-c', script],
  ...more,
});

describe('a command beside the REPL', () => {
  it('gives its exit code and both streams as bytes', async () => {
    expect(await run(shell('printf "\\377o"; printf e >&2; exit 3'))).toEqual([3, '\xffo', 'e', false]);
  });

  it('reads what it is given', async () => {
    const input = Buffer.alloc(3_000_000, 'input ');
    const [code, stdout] = await run({ argv: ['cat'], stdin: input.toString('base64') });
    expect([code, stdout.length, stdout.slice(0, 6)]).toEqual([0, 3_000_000, 'input ']);
    expect(await run({ argv: ['true'], stdin: input.toString('base64') })).toEqual([0, '', '', false]);
    expect(await run({ argv: ['cat'] })).toEqual([0, '', '', false]);
  });

  it('starts in the workspace with PATH and HOME, or where and with what it is told', async () => {
    expect((await run(shell('pwd')))[1]).toBe(`${under.workspace}\n`);
    const names = (await run({ argv: ['/usr/bin/env'] }))[1].split('\n').map((line) => line.split('=')[0]);
    expect(new Set(names)).toEqual(new Set(['HOME', 'PATH', '']));
    expect((await run({ argv: ['/usr/bin/env'], cwd: '/', env: { A: 'b=c\n' } }))[1]).toBe('A=b=c\n\n');
    expect((await run({ argv: ['pwd'], cwd: '/usr', env: { PATH: '/bin:/usr/bin' } }))[1]).toBe('/usr\n');
  });

  it('is killed with its group at its time limit', async () => {
    const [code, stdout] = await run(shell('echo begun; sleep 1000 & sleep 1000', { timeout: 0.2 }));
    expect([code, stdout]).toEqual([137, 'begun\n']);
  });

  it('ended by a signal: 128 + its number', async () => {
    expect((await run(shell('kill -TERM $$')))[0]).toBe(143);
  });

  it('says so where output is beyond the limit', async () => {
    expect(await run(shell('printf 12345', { limit: 3 }))).toEqual([0, '123', '', true]);
    expect(await run(shell('printf 123', { limit: 3 }))).toEqual([0, '123', '', false]);
    expect(await run(shell('printf 12345 >&2', { limit: 0 }))).toEqual([0, '', '', true]);
  });

  it('what cannot be run ends with 127 or 126 and says why', async () => {
    expect(await run({ argv: ['no-such-command'] })).toEqual([
      127,
      '',
      expect.stringContaining('no-such-command: No such file'),
      false,
    ]);
    expect(await run({ argv: ['/dev/null'] })).toEqual([126, '', expect.stringContaining('Permission denied'), false]);
    expect(await run({ argv: ['true'], cwd: '/nowhere' })).toEqual([
      127,
      '',
      expect.stringContaining('/nowhere: No such file'),
      false,
    ]);
  });

  it('does not wait for a daemon it leaves behind', async () => {
    expect(await run(shell('sleep 1000 & echo done'))).toEqual([0, 'done\n', '', false]);
  });

  it('ends when nobody waits for it any more', async () => {
    const controller = new AbortController();
    const gone = run(shell('echo $$ > pid; exec sleep 1000'), controller.signal);
    while ((await run({ argv: ['test', '-s', 'pid'] }))[0] !== 0);
    controller.abort(new Error('not wanted any more'));
    await expect(gone).rejects.toThrow('not wanted any more');
    while ((await run(shell('kill -0 $(cat pid)')))[0] === 0);
  });

  it('runs while a block runs, many at once', async () => {
    await under.exec('import time\nwhile not __import__("os").path.exists("go"): pass');
    const replies = await Promise.all([...Array(20).keys()].map((i) => run(shell(`echo ${i}`))));
    expect(replies.map((reply) => reply[1])).toEqual([...Array(20).keys()].map((i) => `${i}\n`));
    await run({ argv: ['touch', 'go'] });
    expect(await under.events()).toMatchObject({ state: 'done' });
  });

  it.each([
    { argv: [] },
    { argv: ['a\0b'] },
    { argv: ['true'], timeout: 0 },
    { argv: ['true'], limit: -1 },
    { argv: ['true'], stdin: '?' },
    { argv: ['true'], env: { 'a=b': '' } },
  ])('malformed: %j', async (request) => {
    await expect(run(request)).rejects.toMatchObject({ type: 'Input.Invalid' });
  });

  it('runs alone where that is asked: nothing else is left, not even the REPL and other commands', async () => {
    const other = run(
      shell(`setsid sleep 1000 & echo $! > one; setsid -f sh -c 'echo $$ > two; exec sleep 1000'; echo $$ > three; read x
             exec sleep 1000`),
    );
    await expect.poll(async () => (await run(shell('cat one two three | wc -l')))[1]).toBe('3\n');
    const { restarts } = await under.kernel.info();
    const living = 'for pid in $(cat one two three); do grep "^State:.*[^Z] (" /proc/$pid/status; done';
    expect((await run(shell(living)))[1].trim().split('\n')).toHaveLength(3);
    expect((await run(shell(living, { alone: true })))[1]).toBe('');
    expect((await other)[0]).toBe(137);
    expect((await under.kernel.info()).restarts).toBe(restarts + 1);
    expect(await run(shell('echo still here'))).toEqual([0, 'still here\n', '', false]);
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

/** Bytes of resident memory of a process. */
function residentBytes(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

const MIB = 1024 * 1024;

describe('what one call may hold', () => {
  let under: KernelUnderTest;
  beforeAll(async () => {
    under = await KernelUnderTest.start({
      memoryMb: 1500,
      functions: [
        { name: 'llm_query_batched', parameters: [{ name: 'prompts', type: 'list[str]' }], doc: '' },
        { name: 'rlm_query', parameters: [{ name: 'task', type: 'str' }], variables: 'one', doc: '' },
        { name: 'rlm_query_batched', parameters: [{ name: 'tasks', type: 'list[str]' }], variables: 'each', doc: '' },
        { name: 'tool', parameters: [{ name: 'value', type: 'any' }], doc: '' },
      ],
    });
  });
  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it.each([
    [
      'a million prompts',
      'r = llm_query_batched(["x"] * 1_000_000)\nprint(len(r), r[0][:27], r[0] == r[-1])',
      '1000000 Error: 1000000 items are to True',
    ],
    [
      '50,000 variables',
      'print(rlm_query("x", **{f"v{i}": 1 for i in range(50_000)})[:53])',
      'Error: 50000 variables for each of 1 tasks are too ma',
    ],
    [
      'a hundred variables of each of a thousand tasks',
      'print(rlm_query_batched(["x"] * 1000, **{f"v{i}": [1] * 1000 for i in range(100)})[0][:54])',
      'Error: 100 variables for each of 1000 tasks are too ma',
    ],
    [
      'a dict of a million keys',
      'print(tool({str(i): 1 for i in range(100_001)})[:28])',
      'Error: a dict of 100001 keys',
    ],
    ['more than a million values', 'print(tool([0] * 1_000_001)[:32])', 'Error: more than 1000000 values '],
    [
      'more than a million values as a result',
      'try: FINAL([0] * 1_000_001)\nexcept Exception as e: print(type(e).__name__)',
      'RuntimeError',
    ],
  ])('not %s: the code gets an error, and the host nothing', async (_, code, printed) => {
    const result = await under.run(code, {}, () => {
      throw new Error('the host was asked');
    });
    expect(result).toMatchObject({ error: null, stdout: `${printed}\n` });
  });

  it('5,000 prompts, and a thousand rows', async () => {
    const respond = ({ arguments: given }: { arguments: Readonly<Record<string, unknown>> }): unknown => {
      const [value] = Object.values(given);
      return Array.isArray(value) ? value.map((each) => (typeof each === 'string' ? 'a' : each)) : value;
    };
    const code = 'print(len(llm_query_batched(["x"] * 5000)), tool([{"a": 1}] * 1000) == [{"a": 1}] * 1000)';
    expect(await under.run(code, {}, respond)).toMatchObject({ error: null, stdout: '5000 True\n' });
  });

  it('half of messages, sent past our functions, is not kept', async () => {
    const before = residentBytes(under.process.pid);
    // As the kernel's own functions do it, but without an end, on 40 connections.
    const code = `
import gc, socket
bridge = next(each for each in gc.get_objects() if type(each).__name__ == "Bridge")
kept = []
for _ in range(40):
    ours = socket.socket(socket.AF_UNIX)
    kept.append(ours)
    try:
        ours.connect(bridge._address)
        ours.sendall((60_000_000).to_bytes(4, "big"))
        for _ in range(20): ours.sendall(bytes(1_000_000))
    except OSError: pass
print("sent")`;
    expect(await under.run(code)).toMatchObject({ error: null, stdout: 'sent\n' });
    expect(residentBytes(under.process.pid) - before).toBeLessThan(300 * MIB);
    await under.run('kept.clear()');
  });
});

describe('the memory of a sandbox whose blocks have ended', () => {
  let under: KernelUnderTest;
  beforeAll(async () => {
    under = await KernelUnderTest.start({ memoryMb: 256 });
  });
  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  /** Starts three processes that do something a moment after the block, and waits until none of them is left. */
  async function leave(name: string, body: string): Promise<string> {
    const code = `import time\ntime.sleep(0.3)\n${body}\ntime.sleep(100) # ${name}-${process.pid}`;
    const started = await under.run(
      `import subprocess, sys\nfor _ in range(3): subprocess.Popen([sys.executable, "-c", ${JSON.stringify(code)}])`,
    );
    await expect.poll(() => spawnSync('pgrep', ['-f', `${name}-${process.pid}`]).status, { timeout: 15_000 }).toBe(1);
    return started.stderr;
  }

  const ENDED = '[Processes that earlier blocks left behind used more than 256 MiB of memory and were ended.]\n';

  it('has a limit for what they left behind, and keeps their variables', async () => {
    await under.run('kept = 1');
    expect(await leave('bytes', 'x = bytearray(300_000_000)')).toMatch(
      /^\[3 processes run on after this block: python3?[^\n]*, python3?[^\n]*\.\]\n$/,
    );
    expect(await under.run('kept')).toMatchObject({ stdout: '1\n', stderr: ENDED });
  });

  it('counts threads of the interpreter that compute on', async () => {
    await under.run(
      'import threading, time\ndef grow():\n    time.sleep(0.3)\n    global x\n    x = bytearray(400_000_000)\nthreading.Thread(target=grow, daemon=True).start()',
    );
    await expect.poll(async () => (await under.kernel.info()).restarts, { timeout: 15_000 }).toBe(1);
    expect((await under.run('task')).stderr).toMatch(
      /^\[The processes of the sandbox used more than 256 MiB of memory and were ended\.\]\n\[The Python process [^\n]* after the last block: [^\n]*\]\n$/,
    );
  });
});

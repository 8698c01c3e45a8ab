import { describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

/** Beside each other: most of what these tests take is waiting. */
async function withKernel(test: (under: KernelUnderTest) => Promise<void>): Promise<void> {
  const under = await KernelUnderTest.start({ memoryMb: 200 });
  try {
    await test(under);
  } finally {
    await under.stop();
  }
  expect(under.complaints).toBe('');
}

describe.concurrent('the time limit', () => {
  it.each([
    ['a loop', 'while True: pass'],
    ['a sleep', 'import time\ntime.sleep(60)'],
    ['a subprocess', 'import subprocess\nsubprocess.run(["sleep", "60"])'],
    ['a lock', 'import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()'],
    [
      'a pool of threads',
      'import time\nfrom concurrent.futures import ThreadPoolExecutor\ndef nap(i):\n    for _ in range(20): time.sleep(0.1)\nwith ThreadPoolExecutor(2) as pool:\n    list(pool.map(nap, range(2)))',
    ],
    ['asyncio', 'import asyncio\nasyncio.run(asyncio.sleep(60))'],
    [
      'asyncio and a thread',
      'import asyncio, time\nasync def main(): await asyncio.to_thread(time.sleep, 1.6)\nasyncio.run(main())',
    ],
    [
      'one that swallows the first two',
      'import time\nfor _ in range(2):\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass\ntime.sleep(60)',
    ],
  ])('ends %s, and the state is kept', (_, code) =>
    withKernel(async (under) => {
      await under.run('kept = 1');
      const result = await under.run(code, { timeout: 0.2 });
      expect(result).toMatchObject({
        status: 'timeout',
        error: expect.stringMatching(
          /^The block was ended at its time limit of 0\.2 s\.\nTraceback[^]*KeyboardInterrupt/,
        ),
      });
      expect(await under.run('kept')).toMatchObject({ stdout: '1\n' });
      expect(await under.kernel.info()).toMatchObject({ restarts: 0 });
    }),
  );

  it('also where it is the exception that does not end', () =>
    withKernel(async (under) => {
      const code = 'class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E';
      expect(await under.run(code, { timeout: 0.2 })).toMatchObject({
        status: 'timeout',
        error: expect.stringMatching(
          /E: <(?:exception str\(\) failed|unprintable E object)>$|E \(its text cannot be shown: KeyboardInterrupt\)$/,
        ),
      });
      expect(await under.kernel.info()).toMatchObject({ restarts: 0 });
    }));

  it('kills what does not react; the model is told what is lost', () =>
    withKernel(async (under) => {
      await under.run('import signal\ngone = 1');
      const result = await under.run(
        'signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint("so far")\nwhile True: pass',
        {
          timeout: 0.5,
        },
      );
      expect(result).toMatchObject({
        status: 'timeout',
        stdout: 'so far\n',
        error: expect.stringMatching(/time limit of 0\.5 s\. A new one was started: its variables[^]*are lost\.$/),
      });
      expect(await under.run('task, "gone" in globals(), callable(llm_query)')).toMatchObject({
        stdout: "('the task', False, True)\n",
      });
      expect(await under.kernel.info()).toMatchObject({ restarts: 1 });
    }));

  it('does not count the time in which a call is unanswered', () =>
    withKernel(async (under) => {
      await under.exec('llm_query("x")\nprint("went on")', { timeout: 2 });
      const reply = await under.events();
      // Longer than the limit; nothing but the passing of time can show this.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await under.answer({ '1.1': 'answer' });
      expect(await under.events(reply.cursor)).toMatchObject({
        events: [{ result: { status: 'ok', stdout: 'went on\n' } }],
      });
    }));

  it('counts again after the answer', () =>
    withKernel(async (under) => {
      const result = await under.run('llm_query("x")\nwhile True: pass', { timeout: 0.3 });
      expect(result.status).toBe('timeout');
      expect(result.execution_time).toBeGreaterThanOrEqual(0.3);
    }));
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeEach(async () => {
  under = await KernelUnderTest.start({ memoryMb: 200 });
});

afterEach(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

describe('an interrupt from the host', () => {
  it('ends a block that computes', async () => {
    await under.exec('print("begun", flush=True)\nwhile True: pass');
    await under.kernel.interrupt({ generation: 0, block: 1 });
    expect(await under.events()).toMatchObject({ state: 'done', events: [{ result: { status: 'interrupted' } }] });
  });

  it('ends a block that waits for answers, in whatever thread', async () => {
    await under.exec(
      'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(3) as pool:\n    list(pool.map(llm_query, "abc"))',
    );
    const reply = await under.events();
    expect(reply.state).toBe('waiting');
    await under.kernel.interrupt({ generation: 0, block: 1 });
    await under.kernel.interrupt({ generation: 0, block: 1 });
    expect(await under.events(reply.cursor)).toMatchObject({
      events: [{ result: { status: 'interrupted' } }],
      pending: [],
    });
    expect(await under.kernel.info()).toMatchObject({ restarts: 0 });
  });

  it('does nothing to a block that is done', async () => {
    const result = await under.run('1');
    await under.kernel.interrupt({ generation: 0, block: 1 });
    expect(await under.events()).toMatchObject({ events: [{ result }] });
    expect(await under.run('2')).toMatchObject({ status: 'ok' });
  });
});

describe('the death of the REPL', () => {
  it.each([
    ['os._exit', 'import os\nos._exit(3)', 'ended with exit code 3'],
    ['a segmentation fault', 'import ctypes\nctypes.string_at(0)', 'was killed by SIGSEGV'],
    ['a signal', 'import os, signal\nos.kill(os.getpid(), signal.SIGKILL)', 'was killed (SIGKILL'],
    ['abort', 'import os\nos.abort()', 'was killed by SIGABRT'],
    ['all descriptors closed', 'import os\nos.closerange(3, 1000)', 'ended with exit code 70'],
  ])('%s ends the block as crashed and a new one continues', async (_, code, what) => {
    await under.run('lost = 1\nopen("kept", "w").close()');
    const result = await under.run(`print("before")\n${code}`);
    expect(result).toMatchObject({ status: 'crashed', stdout: 'before\n' });
    expect(result.error).toContain(`The Python process ${what}`);
    expect(result.error).toContain('variables, functions and imports are lost');
    expect(await under.run('import os\n"lost" in globals(), os.listdir(), task')).toMatchObject({
      stdout: "(False, ['kept'], 'the task')\n",
    });
    expect(await under.kernel.info()).toMatchObject({ restarts: 1 });
  });

  it('with calls open answers none of them and leaves none behind', async () => {
    await under.exec(
      'import threading, os\nthreading.Thread(target=llm_query, args=("x",)).start()\nllm_query("y")\nos._exit(0)',
    );
    const first = await under.events();
    const main = first.events.find((event) => event.type === 'call' && event.arguments['prompt'] === 'y');
    await under.answer({ [main?.type === 'call' ? main.call : '']: 'go' });
    expect(await under.events(first.cursor)).toMatchObject({
      events: [{ result: { status: 'crashed' } }],
      pending: [],
    });
  });

  it('takes its subprocesses along', async () => {
    const { stdout: pid } = await under.run('import subprocess\nsubprocess.Popen(["sleep", "1000"]).pid');
    await under.run('import os\nos._exit(1)');
    expect(await under.kernel.process({ argv: ['kill', '-0', pid.trim()] })).toMatchObject({ code: 1 });
  });

  it('between two blocks is told in the next one', async () => {
    await under.run(
      'import os, threading\ndef die():\n    while not os.path.exists("die"): pass\n    os._exit(4)\nthreading.Thread(target=die).start()',
    );
    await under.kernel.process({ argv: ['touch', 'die'] });
    while ((await under.kernel.info()).restarts === 0);
    expect(await under.run('"die" in globals()')).toMatchObject({
      status: 'ok',
      stdout: 'False\n',
      stderr: expect.stringMatching(/^\[The Python process ended with exit code 4 after the last block/),
    });
  });

  it('the sealed answer of FINAL survives it', async () => {
    const result = await under.run('import os\ntry:\n    FINAL("done")\nfinally:\n    os._exit(1)');
    expect(result).toMatchObject({ status: 'crashed', final: { value: 'done' } });
  });
});

describe('the memory limit', () => {
  it.each([
    ['the REPL', 'x = bytearray(400_000_000)\nwhile True: pass'],
    [
      'a subprocess',
      'import subprocess, sys\nsubprocess.run([sys.executable, "-c", "x = bytearray(400_000_000)\\nwhile True: pass"])',
    ],
    [
      'several together',
      'import os\nfor _ in range(4):\n    if os.fork() == 0:\n        x = bytearray(80_000_000)\n        while True: pass\nwhile True: pass',
    ],
  ])('ends a block in which %s uses more', async (_, code) => {
    expect(await under.run(code)).toMatchObject({
      status: 'memory',
      error: expect.stringMatching(/^The processes of the sandbox used more than 200 MiB of memory and were ended\./),
    });
    expect(await under.run('task')).toMatchObject({ status: 'ok', stdout: "'the task'\n" });
  });

  it('counts shared pages once', async () => {
    const code =
      'import os\nx = bytearray(100_000_000)\nfor _ in range(4):\n    if os.fork() == 0:\n        import time; time.sleep(0.3); os._exit(0)\n[os.wait()[1] for _ in range(4)]';
    expect(await under.run(code)).toMatchObject({ status: 'ok', stdout: '[0, 0, 0, 0]\n' });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeAll(async () => {
  under = await KernelUnderTest.start();
});

afterAll(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

describe('FINAL and FINAL_VAR', () => {
  it.each<[string, unknown]>([
    ['FINAL("text")', 'text'],
    ['FINAL({"a": [1, 2.5, None, True], 2: (3,)})', { a: [1, 2.5, null, true], '2': [3] }],
    ['FINAL({1, })', '{1}'],
    ['FINAL([float("inf"), 10**20, 2**53 - 1])', ['inf', '100000000000000000000', Number.MAX_SAFE_INTEGER]],
    ['import datetime\nFINAL([datetime.date(2024, 2, 29), range(2)])', ['2024-02-29', [0, 1]]],
    ['class Array:\n    def tolist(self): return [1, [2]]\nFINAL({"rows": Array()})', { rows: [1, [2]] }],
    [
      'class Frame:\n    columns = ["b", "a"]\n    def to_dict(self, orient): return [{"b": 1, "a": float("nan")}]\nFINAL(Frame())',
      [{ b: 1, a: null }],
    ],
    ['import pathlib\nFINAL(pathlib.PurePosixPath("/a"))', '/a'],
    ['x = []\nx.append(x)\nFINAL(str(x))', '[[...]]'],
    ['FINAL(None)', null],
    ['answer = {"k": "v"}\nFINAL_VAR("answer")', { k: 'v' }],
    ['FINAL("\\udc80")', '\\udc80'],
    ['FINAL(10**5000)', expect.stringMatching(/^0x[0-9a-f]+$|^10+$/)],
    ['class Odd:\n    def __str__(self): raise ValueError\nFINAL(Odd())', '<Odd that cannot be printed>'],
  ])('%s', async (code, value) => {
    expect(await under.run(`${code}\nprint("not reached")`)).toMatchObject({
      status: 'ok',
      error: null,
      stdout: '',
      final: { value },
    });
  });

  it.each([
    ['in a function', 'def f(): FINAL("x")\nf()'],
    ['below except Exception', 'try:\n    FINAL("x")\nexcept Exception:\n    print("caught")'],
    ['in asyncio', 'import asyncio\nasync def main(): FINAL("x")\nasyncio.run(main())'],
    [
      'in a task nobody awaits',
      'import asyncio\nasync def task(): FINAL("x")\nasync def main():\n    t = asyncio.create_task(task())\n    await asyncio.sleep(60)\nasyncio.run(main())',
    ],
    [
      'in a thread',
      'import threading, time\nt = threading.Thread(target=FINAL, args=("x",))\nt.start()\ntime.sleep(60)',
    ],
    [
      'in a pool of threads',
      'from concurrent.futures import ThreadPoolExecutor\nimport time\nwith ThreadPoolExecutor(2) as pool:\n    pool.submit(FINAL, "x")\n    time.sleep(60)',
    ],
    [
      'in a thread while main waits for it',
      'import threading\nt = threading.Thread(target=FINAL, args=("x",))\nt.start()\nt.join()\nimport time\ntime.sleep(60)',
    ],
    ['in asyncio.to_thread', 'import asyncio\nasyncio.run(asyncio.to_thread(FINAL, "x"))'],
    ['in exec', 'exec("FINAL(\\"x\\")")'],
  ])('ends the block %s', async (_, code) => {
    expect(await under.run(`${code}\nprint("not reached")`)).toMatchObject({
      status: 'ok',
      error: null,
      stdout: '',
      stderr: '',
      final: { value: 'x' },
    });
  });

  it('the first one is sealed: neither a later one nor a change of the object counts', async () => {
    const code =
      'd = {"n": 1}\ntry:\n    FINAL(d)\nexcept KeyboardInterrupt:\n    d["n"] = 2\ntry:\n    FINAL("second")\nexcept BaseException:\n    print("went on")';
    expect(await under.run(code)).toMatchObject({ status: 'ok', final: { value: { n: 1 } }, stdout: 'went on\n' });
  });

  it('counts although the code fails afterwards, not although it failed before', async () => {
    expect(await under.run('try:\n    FINAL("x")\nexcept BaseException:\n    1/0')).toMatchObject({
      status: 'error',
      final: { value: 'x' },
    });
    expect(await under.run('1/0\nFINAL("x")')).toMatchObject({ status: 'error', final: null });
  });

  it('is an error in a forked process', async () => {
    const code = 'import os\nif os.fork() == 0:\n    FINAL("x")\nprint(os.wait()[1])';
    expect(await under.run(code)).toMatchObject({
      status: 'ok',
      stdout: '256\n',
      stderr: expect.stringMatching(/RuntimeError: FINAL cannot be called in another process/),
      final: null,
    });
  });

  it('FINAL_VAR says which variables there are', async () => {
    const fresh = await KernelUnderTest.start();
    try {
      expect(await fresh.run('found = 1\n_hidden = 2\nFINAL_VAR("answer")')).toMatchObject({
        status: 'error',
        error: expect.stringMatching(/NameError: FINAL_VAR: there is no variable 'answer'; there are: found, task$/),
        final: null,
      });
      expect(await fresh.run('FINAL_VAR(found)')).toMatchObject({
        error: expect.stringMatching(/TypeError: FINAL_VAR takes the name of a variable, as a string, not int/),
      });
    } finally {
      await fresh.stop();
    }
  });

  it("called by a thread after the end of the block is that thread's error", async () => {
    await under.run(
      'import os, threading\ndef late():\n    while not os.path.exists("late"): pass\n    try: FINAL("late")\n    except RuntimeError as e: open("refused", "w").write(str(e))\nt = threading.Thread(target=late)\nt.start()',
    );
    await under.kernel.process({ argv: ['touch', 'late'] });
    while ((await under.kernel.process({ argv: ['test', '-s', 'refused'] })).code !== 0);
    expect(await under.run('t.join()\nopen("refused").read()')).toMatchObject({
      stdout: "'FINAL was called after the block had ended'\n",
      final: null,
    });
  });
});

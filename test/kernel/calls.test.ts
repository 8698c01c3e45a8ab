import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BlockResult, CallEvent } from '../../src/domain/kernel-protocol.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

describe('the functions a block can call', () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  async function output(code: string, respond?: (call: CallEvent) => unknown): Promise<string> {
    const result: BlockResult = await under.run(code, {}, respond);
    return result.stdout + (result.error ?? '').replace(/^Traceback[^]*\n(?=\w)/, '');
  }

  it('have name, signature and docstring', async () => {
    expect(await output('import inspect\nprint(inspect.signature(look_up), look_up.__name__, look_up.__doc__)')).toBe(
      '(key, limit=5) look_up Looks something up.\n',
    );
    expect(await output('print(inspect.signature(llm_query_batched))')).toMatch(/^\(prompts: /);
  });

  it.each<[string, unknown]>([
    ['look_up("k")', { key: 'k', limit: 5 }],
    ['look_up(limit=None, key=[1, 2.5, True, {"a": ()}])', { key: [1, 2.5, true, { a: [] }], limit: null }],
    [
      'import datetime, pathlib\nlook_up(datetime.date(2026, 11, 21), {"path": pathlib.PurePosixPath("a/b"), 1: range(2)})',
      { key: '2026-11-21', limit: { path: 'a/b', '1': [0, 1] } },
    ],
    ['look_up("\\udc80 \\U0001f600", 2**60)', { key: '\\udc80 😀', limit: '1152921504606846976' }],
    ['llm_query_batched(("a", "b"))', { prompts: ['a', 'b'] }],
  ])('send what they are given: %s', async (code, expected) => {
    let seen: unknown;
    await output(code, (call) => {
      seen = call.arguments;
      return null;
    });
    expect(seen).toEqual(expected);
  });

  it.each([
    ['llm_query(3)', 'TypeError: llm_query: prompt must be a string, not int'],
    ['llm_query()', "TypeError: llm_query() missing 1 required positional argument: 'prompt'"],
    ['llm_query("a", "b")', 'TypeError: llm_query() takes 1 positional argument but 2 were given'],
    ['llm_query(text="a")', "TypeError: llm_query() got an unexpected keyword argument 'text'"],
    ['llm_query_batched("abc")', 'TypeError: llm_query_batched: prompts must be a list of strings, not str'],
    ['llm_query_batched(["a", 1])', 'TypeError: llm_query_batched: prompts[1] must be a string, not int'],
    ['llm_query("x" * 67_108_900)', 'ValueError: llm_query: 67108'],
    ['look_up({1})', 'TypeError: look_up: key: expected Any, got set of 1 item; JSON has no sets: write sorted(...)'],
    [
      'look_up("k", [float("nan")])',
      'ValueError: look_up: limit[0]: nan is not a number in JSON; use None (its type must allow it), or leave it out',
    ],
    ['a = []\na.append(a)\nlook_up(a)', 'ValueError: look_up: key[0]: it contains itself'],
    ['look_up([b"", {2}])', 'TypeError: look_up: 2 problems:\n  key[0]: expected Any, got bytes; '],
  ])('refuse wrong arguments: %s', async (code, expected) => {
    expect((await output(code)).slice(0, expected.length)).toBe(expected);
  });

  it.each([
    ['a string', 'text \u{1f600}\n'],
    ['a list', ['a', 'b']],
    ['any JSON', { deep: [1, null, true, 2.5] }],
  ])('return %s as it was answered', async (_, value) => {
    expect(await output('import json\nprint(json.dumps(look_up(1)))', () => value)).toBe(
      await output(`print(json.dumps(json.loads(${JSON.stringify(JSON.stringify(value))})))`),
    );
  });

  it('are numbered in the order of their calls, and hashed alike when called alike', async () => {
    const calls: CallEvent[] = [];
    await output('for p in ["a", "b", "a"]: llm_query(p)', (call) => {
      calls.push(call);
      return '';
    });
    const block = (await under.kernel.info()).block;
    expect(calls.map((call) => call.call)).toEqual([1, 2, 3].map((n) => `${block}.${n}`));
    expect(calls[0]?.hash).toBe(calls[2]?.hash);
    expect(calls[0]?.hash).not.toBe(calls[1]?.hash);
  });
});

/** Ways of calling several at once: each must be seen as waiting, with all its calls made, and end with its answers. */
const PATTERNS: readonly (readonly [string, number, string])[] = [
  ['one by one', 1, 'r = [llm_query(str(i)) for i in range(1)]'],
  [
    'a pool of threads',
    8,
    'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool:\n    r = list(pool.map(llm_query, map(str, range(8))))',
  ],
  [
    'plain threads',
    3,
    'import threading\nr = [None] * 3\ndef ask(i): r[i] = llm_query(str(i))\nts = [threading.Thread(target=ask, args=(i,)) for i in range(3)]\n[t.start() for t in ts]\n[t.join() for t in ts]',
  ],
  [
    'asyncio.to_thread',
    4,
    'import asyncio\nasync def main(): return await asyncio.gather(*(asyncio.to_thread(llm_query, str(i)) for i in range(4)))\nr = asyncio.run(main())',
  ],
  [
    'run_in_executor',
    4,
    'import asyncio\nasync def main():\n    loop = asyncio.get_running_loop()\n    return await asyncio.gather(*(loop.run_in_executor(None, llm_query, str(i)) for i in range(4)))\nr = asyncio.run(main())',
  ],
  [
    'a queue and its workers',
    2,
    'import threading, queue\nq, r = queue.Queue(), [None] * 2\ndef work():\n    while True:\n        i = q.get(); r[i] = llm_query(str(i)); q.task_done()\nfor _ in range(4): threading.Thread(target=work, daemon=True).start()\nfor i in range(2): q.put(i)\nq.join()',
  ],
  [
    'while a lock is held',
    1,
    'import threading\nlock, r = threading.Lock(), []\ndef hold():\n    with lock: r.append(llm_query("0"))\nt = threading.Thread(target=hold); t.start()\nwhile not lock.locked(): pass\nwith lock: t.join()',
  ],
];

describe('calls from several threads', () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it.each(PATTERNS)('%s: waiting once all are made, each gets its own answer', async (_, count, code) => {
    const { block } = await under.exec(`${code}\nprint(r)`);
    const reply = await untilWaiting(under);
    expect(reply).toHaveLength(count);
    // One by one and the last first: each must reach its caller.
    for (const call of reply.toReversed()) {
      // oxlint-disable-next-line no-await-in-loop
      await under.answer({ [call.call]: `to ${String(call.arguments['prompt'])}` });
    }
    const { events } = await under.events(count);
    expect(events).toMatchObject([
      {
        type: 'done',
        result: { status: 'ok', stdout: `[${[...Array(count).keys()].map((i) => `'to ${i}'`).join(', ')}]\n` },
      },
    ]);
    expect(block).toBeGreaterThan(0);
  });

  const COMPUTING: readonly (readonly [string, string])[] = [
    [
      'another thread computes',
      'import threading\nstop = False\ndef spin():\n    while not stop: pass\nthreading.Thread(target=spin).start()\nllm_query("x")\nstop = True',
    ],
    [
      'another thread sleeps',
      'import threading, time\nwake = threading.Event()\nthreading.Thread(target=wake.wait, args=(60,)).start()\nllm_query("x")\nwake.set()',
    ],
    [
      'a subprocess lives',
      'import subprocess\nchild = subprocess.Popen(["sleep", "60"])\nllm_query("x")\nchild.kill()',
    ],
    [
      'asyncio has a timer',
      'import asyncio\nasync def main():\n    timer = asyncio.create_task(asyncio.sleep(60))\n    await asyncio.to_thread(llm_query, "x")\n    timer.cancel()\nasyncio.run(main())',
    ],
    [
      'a forked process calls',
      'import os\npid = os.fork()\nif pid == 0:\n    llm_query("x"); os._exit(0)\n_ = os.waitpid(pid, 0)',
    ],
    [
      'a pool of processes calls',
      'from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(1) as pool: print(pool.submit(llm_query, "x").result())',
    ],
  ];

  it.each(COMPUTING)('not waiting while %s; the call is reported all the same', async (_, code) => {
    await under.exec(code);
    const reply = await under.events();
    expect(reply).toMatchObject({ state: 'running', events: [{ type: 'call' }] });
    expect(await under.events(reply.cursor, 50)).toMatchObject({ state: 'running', events: [] });
    await under.answer({ [reply.pending[0] ?? '']: 'answer' });
    expect(await under.events(reply.cursor)).toMatchObject({
      state: 'done',
      events: [{ type: 'done', result: { status: 'ok', error: null } }],
    });
  });

  it('a thousand calls at once', async () => {
    const result = await under.run(
      'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(200) as pool:\n    r = list(pool.map(llm_query, map(str, range(1000))))\nprint(r == [f"answer to {i}" for i in range(1000)])',
    );
    expect(result).toMatchObject({ status: 'ok', stdout: 'True\n' });
  });
});

describe('the end of a block with calls', () => {
  let under: KernelUnderTest;

  beforeEach(async () => {
    under = await KernelUnderTest.start();
  });

  afterEach(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it('waits for the calls that were made, and answers later ones itself', async () => {
    await under.exec(
      'import os, threading\ndef work():\n    print(llm_query("one"))\n    r = [llm_query("two"), llm_query_batched(["x", "y"])]\n    open("late", "w").write(repr(r))\nt = threading.Thread(target=work)\nt.start()\nwhile not os.path.exists("go"): pass\nprint("main ends")',
    );
    const reply = await under.events();
    expect(reply).toMatchObject({ events: [{ arguments: { prompt: 'one' } }] });
    await under.kernel.process({ argv: ['touch', 'go'] });
    expect(await under.events(reply.cursor)).toMatchObject({ state: 'waiting', pending: ['1.1'] });
    await under.answer({ '1.1': 'first' });
    expect(await under.events(reply.cursor)).toMatchObject({ state: 'done', events: [{ result: { status: 'ok' } }] });
    while ((await under.kernel.process({ argv: ['test', '-s', 'late'] })).code !== 0);
    const after = await under.run('t.join()\nprint(open("late").read())');
    expect(after.stdout).toContain(
      "['Error: the block has ended', ['Error: the block has ended', 'Error: the block has ended']]",
    );
  });

  it('an answer given twice counts once; an answer to no call is refused', async () => {
    await under.exec('print(llm_query("a"), llm_query("b"))');
    const first = await under.events();
    await under.answer({ '1.1': 'A' });
    await under.answer({ '1.1': 'other' });
    await expect(under.answer({ '1.7': 'x' })).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
    const second = await under.events(first.cursor);
    await under.answer({ '1.1': 'other', '1.2': 'B' });
    expect(await under.events(second.cursor)).toMatchObject({ events: [{ result: { stdout: 'A B\n' } }] });
    await under.answer({ '1.2': 'B' });
  });

  it('large arguments come in several replies', async () => {
    await under.exec(
      'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(3) as pool:\n    r = list(pool.map(look_up, [c * 17_000_000 for c in "abc"]))\nprint(r)',
    );
    const sizes: number[] = [];
    for (let after = 0; after < 3;) {
      // oxlint-disable-next-line no-await-in-loop
      const reply = await under.events(after);
      expect(reply.events.length).toBeLessThan(3);
      for (const event of reply.events) {
        if (event.type === 'call') sizes.push(String(event.arguments['key']).length);
      }
      after = reply.cursor;
    }
    expect(sizes).toEqual([17_000_000, 17_000_000, 17_000_000]);
    await under.answer({ '1.1': 1, '1.2': 2, '1.3': 3 });
    expect(await under.events(3)).toMatchObject({ state: 'done', events: [{ result: { status: 'ok' } }] });
  });

  it('a caller that is killed leaves no call behind', async () => {
    await under.exec(
      'import os, signal\npid = os.fork()\nif pid == 0:\n    llm_query("x"); os._exit(0)\nopen("pid", "w").write(str(pid))\nos.waitpid(pid, 0)',
    );
    const reply = await under.events();
    expect(reply.pending).toEqual(['1.1']);
    await under.kernel.process({ argv: ['sh', '-c', 'kill -9 $(cat pid)'] });
    expect(await under.events(reply.cursor)).toMatchObject({ state: 'done', pending: [] });
    await under.answer({ '1.1': 'too late' });
  });
});

async function untilWaiting(kernel: KernelUnderTest): Promise<CallEvent[]> {
  const calls: CallEvent[] = [];
  for (let after = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop
    const reply = await kernel.events(after);
    after = reply.cursor;
    calls.push(...reply.events.filter((event) => event.type === 'call'));
    if (reply.state === 'waiting') return calls;
    expect(reply.state).toBe('running');
  }
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelUnderTest } from './kernel-under-test.ts';

let under: KernelUnderTest;

beforeAll(async () => {
  under = await KernelUnderTest.start();
  await under.run('import asyncio\nasync def give(value):\n    await asyncio.sleep(0)\n    return value');
});

afterAll(async () => {
  await under.stop();
  expect(under.complaints).toBe('');
});

describe('await at the top level', () => {
  it.each([
    ['of a statement', 'x = await give("ok")\nprint(x)', 'ok\n'],
    ['of the last expression, which is echoed', 'await give("ok")', "'ok'\n"],
    ['in a comprehension', '[await give(n) for n in range(3)]', '[0, 1, 2]\n'],
    ['in an f-string', 'print(f"{await give(1)}")', '1\n'],
    ['of several at once', 'await asyncio.gather(*map(give, "ab"))', "['a', 'b']\n"],
    ['async for', 'async def numbers():\n    yield 1\n    yield 2\nasync for n in numbers():\n    print(n)', '1\n2\n'],
    [
      'async with',
      'class Room:\n    async def __aenter__(self): return "in"\n    async def __aexit__(self, *error): print("out")\nasync with Room() as room:\n    print(room)',
      'in\nout\n',
    ],
    ['in a try', 'try:\n    await give(1/0)\nexcept ZeroDivisionError:\n    print("caught")', 'caught\n'],
    ['beside statements without', 'a = 1\nb = await give(2)\na + b', '3\n'],
    ['with a time limit', 'await asyncio.wait_for(give(1), 5)', '1\n'],
  ])('%s', async (_name, code, stdout) => {
    expect(await under.run(code)).toMatchObject({ status: 'ok', error: null, stdout, stderr: '' });
  });

  it('sets variables that stay', async () => {
    await under.run('kept = await give([1])');
    expect(await under.run('kept.append(2)\nkept')).toMatchObject({ stdout: '[1, 2]\n' });
  });

  it('is an error elsewhere', async () => {
    expect(await under.run('def f():\n    await give(1)')).toMatchObject({
      status: 'error',
      error: expect.stringContaining("'await' outside async function"),
    });
  });

  it('shows the traceback of the code alone', async () => {
    const { error } = await under.run('async def fail():\n    raise ValueError("no")\nawait fail()');
    expect(error).toMatch(/^Traceback \(most recent call last\):\n {2}File "<block \d+>", line 3, in <module>/);
    expect(error).toContain('ValueError: no');
    expect(error).not.toMatch(/asyncio|rlm_kernel/);
  });
});

describe('the event loop', () => {
  it('lives between blocks: a task continues when a later block awaits', async () => {
    await under.run(
      'steps = []\nasync def work():\n    for n in range(3):\n        steps.append(n)\n        await asyncio.sleep(0)',
    );
    expect(await under.run('task = asyncio.create_task(work())')).toMatchObject({ status: 'ok', stderr: '' });
    expect(await under.run('await task\nsteps')).toMatchObject({ stdout: '[0, 1, 2]\n', stderr: '' });
  });

  it('keeps what belongs to it: locks, queues, events', async () => {
    await under.run('queue = asyncio.Queue()\nawait queue.put(1)');
    expect(await under.run('await queue.get()')).toMatchObject({ stdout: '1\n' });
  });

  it('is made again when the code has closed it', async () => {
    await under.run('await give(1)\nloop = asyncio.get_running_loop()');
    await under.run('loop.close()');
    expect(await under.run('await give(2)')).toMatchObject({ stdout: '2\n' });
  });

  it.each([
    ['in a block of its own', 'asyncio.run(give("ok"))'],
    ['again', 'asyncio.run(give("ok"))'],
    ['in a block that awaits', 'await give(1)\nasyncio.run(give("ok"))'],
    ['in a function of one', 'def f(): return asyncio.run(give("ok"))\nawait give(1)\nf()'],
    ['by its Runner', 'loop = asyncio.new_event_loop()\nloop.run_until_complete(give("ok"))'],
  ])('leaves asyncio.run alone: %s', async (_name, code) => {
    expect(await under.run(code)).toMatchObject({ status: 'ok', stdout: expect.stringMatching(/'ok'\n$/), stderr: '' });
    expect(await under.run('await give(3)')).toMatchObject({ stdout: '3\n', stderr: '' });
  });

  it('an error in asyncio.run beside it is the error of the block', async () => {
    expect(await under.run('async def bad(): 1/0\nawait give(1)\nasyncio.run(bad())')).toMatchObject({
      status: 'error',
      error: expect.stringContaining('ZeroDivisionError'),
    });
  });
});

describe('FINAL under await', () => {
  it.each([
    ['in the block', 'await give(1)\nFINAL("x")'],
    ['in a coroutine', 'async def f(): FINAL("x")\nawait f()'],
    ['given what was awaited', 'FINAL(await give("x"))'],
    [
      'in a task while the block waits',
      'async def f(): FINAL("x")\nt = asyncio.create_task(f())\nawait asyncio.sleep(60)',
    ],
    ['in gather', 'async def f(): FINAL("x")\nawait asyncio.gather(f(), asyncio.sleep(60))'],
    ['in a thread', 'await asyncio.to_thread(FINAL, "x")'],
    [
      'in a thread while the block waits',
      'import threading\nthreading.Timer(0.05, FINAL, ["x"]).start()\nawait asyncio.sleep(60)',
    ],
    ['below except Exception', 'try:\n    await give(1)\n    FINAL("x")\nexcept Exception:\n    print("caught")'],
    ['in asyncio.run beside the loop', 'async def f(): FINAL("x")\nawait give(1)\nasyncio.run(f())'],
  ])('ends the block: %s', async (_name, code) => {
    expect(await under.run(`${code}\nprint("not reached")`)).toMatchObject({
      status: 'ok',
      error: null,
      stdout: '',
      stderr: '',
      final: { value: 'x' },
    });
    expect(await under.run('await give(4)')).toMatchObject({ status: 'ok', stdout: '4\n', stderr: '' });
  });

  it('lets the block clean up, though not for ever', async () => {
    const code =
      'async def f(): FINAL("x")\nt = asyncio.create_task(f())\ntry:\n    await asyncio.sleep(60)\nfinally:\n    print("cleaned")\n    await asyncio.sleep(60)';
    expect(await under.run(code)).toMatchObject({ status: 'ok', stdout: 'cleaned\n', final: { value: 'x' } });
  });
});

describe('calls under await', () => {
  it.each([
    ['from the block', 'answers = [llm_query(str(n)) for n in range(4)]\nawait give(0)'],
    ['from threads', 'answers = await asyncio.gather(*(asyncio.to_thread(llm_query, str(n)) for n in range(4)))'],
    [
      'from tasks',
      'async def ask(n): return await asyncio.to_thread(llm_query, str(n))\ntasks = [asyncio.create_task(ask(n)) for n in range(4)]\nanswers = [await task for task in tasks]',
    ],
    [
      'from coroutines',
      'async def ask(n): return llm_query(str(n))\nanswers = await asyncio.gather(*map(ask, range(4)))',
    ],
  ])('%s', async (_name, code) => {
    expect(await under.run(`${code}\nprint(answers)`)).toMatchObject({
      status: 'ok',
      stdout: "['answer to 0', 'answer to 1', 'answer to 2', 'answer to 3']\n",
    });
  });
});

describe('the time limit under await', () => {
  it.each([
    ['while the block sleeps', 'await asyncio.sleep(60)'],
    ['while a task computes', 'async def spin():\n    while True: pass\nawait spin()'],
    ['while a thread does', 'import time\nawait asyncio.to_thread(time.sleep, 5)'],
    [
      'when the code refuses to be cancelled',
      'while True:\n    try:\n        await asyncio.sleep(60)\n    except asyncio.CancelledError:\n        pass',
    ],
  ])('ends the block and keeps its variables: %s', async (_name, code) => {
    await under.run('before = 1');
    expect(await under.run(code, { timeout: 0.3 })).toMatchObject({ status: 'timeout' });
    expect(await under.run('before + await give(1)')).toMatchObject({ status: 'ok', stdout: '2\n' });
  });
});

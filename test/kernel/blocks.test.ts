import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlockResult } from '../../src/domain/kernel-protocol.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

type Expected = Partial<Record<keyof BlockResult, unknown>>;

const ok = (stdout: string): Expected => ({ status: 'ok', stdout, stderr: '', error: null });
const error = (text: string): Expected => ({ status: 'error', error: text });
const errorLike = (pattern: RegExp): Expected => ({ status: 'error', error: expect.stringMatching(pattern) });

/** What a block prints and how it ends; blocks of a table run one after the other in one kernel. */
const TABLES: Readonly<Record<string, readonly (readonly [string, string, Expected])[]>> = {
  output: [
    ['what is printed', 'print("a"); print("b", end="")', ok('a\nb')],
    ['the value of a last expression', 'x = 20\nx + 1', ok('21\n')],
    ['no value where it is None', 'print("only")', ok('only\n')],
    ['the value again as _', '_ * 0 if False else _', ok('21\n')],
    ['a docstring is an expression', '"text"', ok("'text'\n")],
    ['nothing', '', ok('')],
    ['a comment', '# nothing', ok('')],
    ['both streams apart', 'import sys\nprint("o")\nprint("e", file=sys.stderr)', { stdout: 'o\n', stderr: 'e\n' }],
    ['written to the descriptor', 'import os\nprint("first")\n_ = os.write(1, b"second\\n")', ok('first\nsecond\n')],
    [
      'of subprocesses, in order',
      'import subprocess\nprint("1", end=" ")\nos.system("echo 2")\nprint("3", end=" ")\n_ = subprocess.run(["echo", "4"])\nprint("5")',
      ok('1 2\n3 4\n5\n'),
    ],
    ['bytes that are not UTF-8, escaped', '_ = os.write(1, b"a\\xff\\xc3(\\xe2\\x82z")', ok('a\\xff\\xc3(\\xe2\\x82z')],
    ['an incomplete character at the end', '_ = os.write(1, b"\\xe2\\x82")', ok('\\xe2\\x82')],
    ['a character in two pieces', '_ = os.write(1, b"\\xe2\\x82")\n_ = os.write(1, b"\\xac")', ok('€')],
    [
      'control characters, escaped',
      'print("\\x1b[31mred\\x00\\r\\x7f\\x85\\ttab")',
      ok('\\x1b[31mred\\x00\\r\\x7f\\x85\ttab\n'),
    ],
    ['lone surrogates, escaped', 'print("\\udc80")', ok('\\udc80\n')],
    ['of a forked process', 'if os.fork() == 0:\n    print("child"); os._exit(0)\n_ = os.wait()', ok('child\n')],
    [
      'buffered before a fork once only',
      'print("x", end="")\nif os.fork() == 0:\n    sys.exit()\n_ = os.wait()',
      ok('x'),
    ],
  ],
  errors: [
    [
      'a traceback of the block alone',
      'def divide(n):\n    return n / 0\n\ndivide(1)',
      errorLike(
        /^Traceback \(most recent call last\):\n {2}File "<block 1>", line 4, in <module>\n {4}divide\(1\)\n(?: {4}[~^]+\n)? {2}File "<block 1>", line 2, in divide\n {4}return n \/ 0\n(?: {11}[~^]+\n)?ZeroDivisionError: division by zero$/,
      ),
    ],
    [
      'lines of an earlier block',
      'divide(2)',
      errorLike(/File "<block 2>", line 1[^]*File "<block 1>", line 2[^]*n \/ 0/),
    ],
    [
      'the cause of an error',
      'try:\n    {}["k"]\nexcept KeyError as e:\n    raise ValueError("no") from e',
      errorLike(/^Traceback[^]*KeyError: 'k'\n\nThe above exception was the direct cause[^]*ValueError: no$/),
    ],
    [
      'a syntax error',
      'x = = 1',
      error('  File "<block 4>", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax'),
    ],
    ['output before the error is kept', 'print("before")\n1/0', { status: 'error', stdout: 'before\n' }],
    ['the statements before an error count', 'kept = 1\n1/0', errorLike(/ZeroDivisionError/)],
    ['and their variables remain', 'kept', ok('1\n')],
    ['a NUL in the code', 'x = "\0"', errorLike(/null bytes/)],
    ['sys.exit() ends the block well', 'import sys\nprint("a")\nsys.exit()\nprint("b")', ok('a\n')],
    ['exit() too, and the REPL continues', 'exit()', ok('')],
    ['a number or text in sys.exit is an error', 'sys.exit("broken")', errorLike(/SystemExit: broken$/)],
    ['input has nothing to read', 'input("name? ")', errorLike(/EOFError/)],
    ['raise KeyboardInterrupt is an error', 'raise KeyboardInterrupt', errorLike(/KeyboardInterrupt$/)],
    ['deep recursion', 'def f(): return f()\nf()', errorLike(/RecursionError[^]*$/)],
    [
      'an exception whose text fails',
      'class E(Exception):\n    def __str__(self): raise E\nraise E',
      errorLike(/E: <(?:exception str\(\) failed|unprintable E object)>$/),
    ],
    [
      'an exception as large as 10 MB',
      'raise ValueError("x" * 10_000_000)',
      errorLike(/^Traceback[^]*characters left out[^]*x$/),
    ],
    ['a NameError', 'unknown', errorLike(/NameError: name 'unknown' is not defined$/)],
    [
      'a bare error has no frames of the kernel',
      'llm_query()',
      errorLike(
        /^Traceback[^<]*<block 18>[^<]*<module>[^<]*TypeError: llm_query\(\) missing 1 required positional argument: 'prompt'$/,
      ),
    ],
  ],
  state: [
    [
      'the real __main__',
      'import sys\n__name__, sys.modules["__main__"].__dict__ is globals()',
      ok("('__main__', True)\n"),
    ],
    [
      'open files, generators, lambdas and locks survive',
      'import threading\nf = open("notes", "w+")\ng = (i for i in range(9))\nh = lambda: next(g)\nlock = threading.Lock()\nlock.acquire()',
      ok('True\n'),
    ],
    [
      'from block to block',
      '_ = f.write("kept")\nf.seek(0)\nprint(f.read(), h(), h(), lock.locked())',
      ok('kept 0 1 True\n'),
    ],
    [
      'classes can be pickled',
      'import pickle\nclass P:\n    x = 1\ntype(pickle.loads(pickle.dumps(P()))) is P',
      ok('True\n'),
    ],
    [
      'type hints resolve',
      'import typing\ndef typed(a: "P") -> int: ...\ntyping.get_type_hints(typed)["a"] is P',
      ok('True\n'),
    ],
    [
      'a pool of processes works',
      'import concurrent.futures\ndef double(n): return 2 * n\nwith concurrent.futures.ProcessPoolExecutor(2) as pool:\n    print(list(pool.map(double, range(4))))',
      ok('[0, 2, 4, 6]\n'),
    ],
    [
      'source can be inspected',
      'import inspect\nprint(inspect.getsource(double))',
      ok('def double(n): return 2 * n\n\n'),
    ],
    [
      'modules beside the code can be imported',
      'open("beside.py", "w").write("x = 5")\nimport beside\nbeside.x',
      ok('5\n'),
    ],
    ['their bytecode does not land in the tree', 'import os\nsorted(os.listdir("."))', ok("['beside.py', 'notes']\n")],
    [
      'installed modules keep theirs where it is',
      'import os, sys, sched, beside\nprint(os.path.exists(sched.__cached__), os.path.exists(beside.__cached__))\nbeside.__cached__.startswith(sys.pycache_prefix)',
      ok('False True\nTrue\n'),
    ],
    ['random numbers are seeded', 'import random\nrandom.Random(7).random() == random.random()', ok('True\n')],
    ['hashes repeat themselves', 'sys.flags.hash_randomization', ok('0\n')],
    ['standard streams are restored', 'import io\nsys.stdout = io.StringIO()\nsys.stderr.close()\nos.close(1)', ok('')],
    [
      'before the next block',
      'print("here")\nprint("there", file=sys.stderr)',
      { stdout: 'here\n', stderr: 'there\n' },
    ],
    ['also detached ones', 'sys.stdout.detach()\nsys.stderr.buffer.close()', { status: 'ok' }],
    ['come back', 'print(1)', ok('1\n')],
    [
      'a descriptor that was replaced',
      'fd = os.open("file", os.O_CREAT | os.O_WRONLY)\nos.dup2(fd, 1)\nprint("into the file")',
      ok(''),
    ],
    ['is restored', 'print(open("file").read(), end="")', ok('into the file\n')],
    ['our functions come back when they were overwritten', 'FINAL = llm_query = edit_file = 3', ok('')],
    ['in the next block', 'callable(FINAL) and callable(llm_query) and callable(edit_file)', ok('True\n')],
    ['a display hook lasts for its block', 'sys.displayhook = lambda value: None\n1', ok('')],
    ['and not longer', '1', ok('1\n')],
    ['a SIGINT handler too', 'import signal\n_ = signal.signal(signal.SIGINT, signal.SIG_IGN)', ok('')],
    ['the folder stays where the code went', 'os.mkdir("inner")\nos.chdir("inner")', ok('')],
    ['in the next block as well', 'os.path.basename(os.getcwd())', ok("'inner'\n")],
    [
      'the kernel shows no module of its own',
      '[name for name in globals() if "kernel" in name], os.environ.get("HOME")',
      ok("([], '/tmp')\n"),
    ],
    [
      'a forked process that falls through ends',
      'pid = os.fork()\nif pid == 0:\n    raise ValueError("in the child")\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])',
      { status: 'ok', stdout: '1\n', stderr: expect.stringMatching(/in the child/) },
    ],
    [
      'with the code it gives to sys.exit',
      'if os.fork() == 0:\n    sys.exit(3)\nos.waitstatus_to_exitcode(os.wait()[1])',
      ok('3\n'),
    ],
    ['and one REPL remains', 'pid = os.fork()\nif pid:\n    print(os.waitpid(pid, 0)[1])', ok('0\n')],
  ],
};

describe.each(Object.entries(TABLES))('%s of a block', (_, table) => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it.each(table)('%s', async (_name, code, expected) => {
    expect(await under.run(code)).toMatchObject(expected);
  });

  it('and the REPL never had to be started again', async () => {
    expect(await under.kernel.info()).toMatchObject({ restarts: 0, block: table.length });
  });
});

describe('the limit of output', () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(() => under.stop());

  it('keeps head and tail and says how much is left out; the whole text can be had', async () => {
    const result = await under.run('for i in range(10000): print(i)', { output_limit: 20 });
    expect(result.stdout).toBe('0\n1\n2\n3\n4\n\n... [48870 characters left out] ...\n9998\n9999\n');
    expect(result.stdout_length).toBe(48890);
    const full = await under.kernel.output({ block: 1, stream: 'stdout', offset: 0 });
    expect(Buffer.from(full).toString()).toBe([...Array(10000).keys()].map((i) => `${i}\n`).join(''));
    expect(Buffer.from(await under.kernel.output({ block: 1, stream: 'stdout', offset: 48885 })).toString()).toBe(
      '9999\n',
    );
    expect(await under.kernel.output({ block: 1, stream: 'stderr', offset: 0 })).toHaveLength(0);
  });

  it('holds at its exact border', async () => {
    expect((await under.run('print("x" * 10, end="")', { output_limit: 10 })).stdout).toBe('xxxxxxxxxx');
    const over = await under.run('print("0123456789a", end="")', { output_limit: 10 });
    expect(over.stdout).toBe('01234\n... [1 characters left out] ...\n6789a');
    expect((await under.run('print("abc", end="")', { output_limit: 0 })).stdout).toBe(
      '\n... [3 characters left out] ...\n',
    );
  });

  it('counts 100 MB and keeps the first 10 MiB of it', async () => {
    const result = await under.run('import sys\nfor i in range(100): sys.stdout.write("x" * 999_999 + "\\n")', {
      output_limit: 1000,
    });
    expect(result.stdout_length).toBe(100_000_000);
    expect(result.stdout.length).toBeLessThan(1100);
    const block = (await under.kernel.info()).block;
    expect(await under.kernel.output({ block, stream: 'stdout', offset: 0 })).toHaveLength(10 * 1024 * 1024);
  });

  it('a noisy background process does not hold up the end of a block', async () => {
    const result = await under.run('import subprocess\nnoise = subprocess.Popen(["yes"])');
    expect(result.status).toBe('ok');
    expect((await under.run('noise.kill()\nnoise.wait()')).status).toBe('ok');
  });
});

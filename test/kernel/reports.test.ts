import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallEvent, ReportDetails } from '../../src/domain/kernel-protocol.ts';
import { KernelUnderTest, ReportAnswer } from './kernel-under-test.ts';

const USAGE = { input_tokens: 10, output_tokens: 2, cost: 0.5, llm_calls: 3 };
/** As git writes it: a quoted name, a byte that is not UTF-8, a line that looks like a header. */
const PATCH = Buffer.from(
  [
    'diff --git a/a b.txt b/a b.txt',
    `index ${'1'.repeat(40)}..${'2'.repeat(40)} 100644`,
    '--- a/a b.txt',
    '+++ b/a b.txt',
    '@@ -1 +1 @@',
    '-diff --git a/x b/x',
    '+\u00ff',
    String.raw`diff --git "a/\303\251\n.py" "b/\303\251\n.py"`,
    'new file mode 100755',
    `index ${'0'.repeat(40)}..${'3'.repeat(40)}`,
    '',
  ].join('\n'),
  'latin1',
);

describe('the reports of sub-agents', () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  /** `long` in a task: its report is cut. `huge`: and too large to be sent. */
  function respond({ arguments: given }: CallEvent): unknown {
    const [tasks] = Object.values(given);
    const list = Array.isArray(tasks) ? (tasks as string[]) : [String(tasks)];
    const shown = list.map((task) => (/long|huge/.test(task) ? `[cut]\n${task}` : `short ${task}`));
    const reports: Record<number, ReportDetails> = {};
    for (const [place, task] of list.entries()) {
      if (task.includes('long')) reports[place] = { whole: `all of é\u{1f600} ${task}` };
      if (task.includes('huge')) reports[place] = { whole: null, patch: null };
      if (task.includes('edit')) reports[place] = { patch: PATCH.toString('base64'), usage: USAGE };
    }
    const value = Array.isArray(tasks) ? shown : shown[0];
    return Object.keys(reports).length === 0 ? value : new ReportAnswer(value, reports);
  }

  const printed = async (code: string): Promise<string> => {
    const { stdout, error } = await under.run(code, {}, respond);
    return stdout + (error ?? '').replace(/^Traceback[^]*\n(?=\w)/, '');
  };

  it.each([
    ['r = rlm_query("long")\nprint(r.startswith("[cut]"), r.full)', 'True all of é\u{1f600} long\n'],
    ['r = rlm_query("a")\nprint(r, r.full == r, type(r.full) is str)', 'short a True True\n'],
    [
      'r = rlm_query_batched(["a", "long b", "c", "long d"])\nprint(type(r), [x.full for x in r])',
      "<class 'list'> ['short a', 'all of é\u{1f600} long b', 'short c', 'all of é\u{1f600} long d']\n",
    ],
    [
      'r = rlm_query("huge")\nprint(r)\nr.full',
      '[cut]\nhuge\nValueError: the whole report is too large to be handed over',
    ],
    ['print([hasattr(x, "full") for x in rlm_query_batched([])])', '[]\n'],
    ['print(hasattr(llm_query("long"), "full"))', 'False\n'],
  ])('have .full: %s', async (code, expected) => {
    expect((await printed(code)).slice(0, expected.length)).toBe(expected);
  });

  it.each([
    [
      'threads',
      'from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool: r = list(pool.map(rlm_query, ["long 0", "1", "long 2"]))',
    ],
    [
      'asyncio',
      'import asyncio\nr = await asyncio.gather(*(asyncio.to_thread(rlm_query, t) for t in ["long 0", "1", "long 2"]))',
    ],
    ['a batch', 'r = rlm_query_batched(["long 0", "1", "long 2"])'],
  ])('reach %s alike', async (_, code) => {
    expect(await printed(`${code}\nprint([x.full for x in r])`)).toBe(
      "['all of é\u{1f600} long 0', 'short 1', 'all of é\u{1f600} long 2']\n",
    );
  });

  it.each([
    ['r == "[cut]\\nlong" and hash(r) == hash("[cut]\\nlong") and {r: 1}["[cut]\\nlong"] == 1', 'True'],
    ['isinstance(r, str), len(r), "long" in r', '(True, 10, True)'],
    [
      '[type(x) is str for x in (r[2:], r + "!", f"{r}", "%s" % r, r.strip("["), r.lower(), str(r))]',
      `[${'True, '.repeat(6)}True]`,
    ],
    ['__import__("json").dumps({"r": r, r: 1})', `'{"r": "[cut]\\\\nlong", "[cut]\\\\nlong": 1}'`],
    ['__import__("json").loads(__import__("json").dumps([r])) == [r]', 'True'],
    [
      '[type(p.loads(p.dumps(r, n))) is str and p.loads(p.dumps(r, n)) == r for p in [__import__("pickle")] for n in range(6)]',
      `[${'True, '.repeat(5)}True]`,
    ],
    ['__import__("copy").deepcopy([r])[0].full == __import__("copy").copy(r).full == r.full', 'True'],
    ['repr(r)', String.raw`"'[cut]\\nlong'"`],
  ])('are strings beside that: %s', async (code, expected) => {
    expect(await printed(`r = rlm_query("long")\n${code}`)).toBe(`${expected}\n`);
  });

  it('can be asked about, handed on and given as the result', async () => {
    const seen: unknown[] = [];
    const code =
      'r = rlm_query("long")\nllm_query(r)\nrlm_query(r, more={"r": [r]})\nllm_query(r.full)\nFINAL([r, r.full])';
    const { final, error } = await under.run(code, {}, (call) => {
      seen.push(call.arguments);
      return respond(call);
    });
    expect(error).toBeNull();
    expect(final).toEqual({ value: ['[cut]\nlong', 'all of é\u{1f600} long'] });
    expect(seen.slice(1)).toEqual([
      { prompt: '[cut]\nlong' },
      { task: '[cut]\nlong', variables: { more: { r: ['[cut]\nlong'] } } },
      { prompt: 'all of é\u{1f600} long' },
    ]);
  });

  it.each([
    ['rlm_query("edit").files', String.raw`['a b.txt', 'é\n.py']`],
    ['rlm_query("edit").usage', "{'input_tokens': 10, 'output_tokens': 2, 'cost': 0.5, 'llm_calls': 3}"],
    ['[(r.patch, r.files, r.usage) for r in rlm_query_batched(["a", "b"])]', "[('', [], None), ('', [], None)]"],
    ['"diff" in str(rlm_query("edit"))', 'False'],
  ])('carry the changes that were made, and what they cost: %s', async (code, expected) => {
    expect(await printed(`print(${code})`)).toBe(`${expected}\n`);
  });

  it('have the patch to its last byte', async () => {
    const code = 'FINAL(list(rlm_query("edit").patch.encode("utf-8", "surrogateescape")))';
    const { final } = await under.run(code, {}, respond);
    expect(Buffer.from(final?.value as number[]).equals(PATCH)).toBe(true);
  });

  it('say so where the changes are too large to be handed over', async () => {
    expect(await printed('rlm_query("huge").patch')).toContain('ValueError: the patch is too large to be handed over');
  });

  it.each([{ 0: 1 }, { 0: { whole: 1 } }, { 0: { patch: [] } }, { 0: { usage: 'much' } }, ['x'], 'x'])(
    'malformed reports (%j) are refused',
    async (reports) => {
      await under.exec('r = rlm_query("a")');
      const { pending } = await under.events();
      const wrong = new ReportAnswer('v', reports as unknown as Record<number, ReportDetails>);
      await expect(under.answer({ [pending[0] ?? '']: wrong })).rejects.toMatchObject({ type: 'Input.Invalid' });
      await under.answer({ [pending[0] ?? '']: 'v' });
      await under.events(1);
    },
  );
});

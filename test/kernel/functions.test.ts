import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostFunction } from '../../src/domain/kernel-protocol.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

describe('a function that takes variables', () => {
  let under: KernelUnderTest;

  beforeAll(async () => {
    under = await KernelUnderTest.start();
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  async function sent(code: string): Promise<unknown> {
    const calls: unknown[] = [];
    const result = await under.run(code, {}, (call) => calls.push(call.arguments));
    expect(result.error).toBeNull();
    return calls[0];
  }

  it.each<[string, unknown]>([
    ['rlm_query("t")', { task: 't' }],
    ['rlm_query(task="t", **{})', { task: 't' }],
    [
      'rlm_query("t", documents=("a", "b"), limits={"a": None}, größe=2**53)',
      { task: 't', variables: { documents: ['a', 'b'], limits: { a: null }, größe: '9007199254740992' } },
    ],
    [
      'rlm_query("t", arguments=1, name="x", function=0)',
      { task: 't', variables: { arguments: 1, name: 'x', function: 0 } },
    ],
    ['rlm_query("t", variables=[1])', { task: 't', variables: { variables: [1] } }],
    ['rlm_query_batched(["t", "u"])', { tasks: ['t', 'u'] }],
    [
      'rlm_query_batched(("t", "u"), part=([1], "x"), note=["", None])',
      { tasks: ['t', 'u'], variables: { part: [[1], 'x'], note: ['', null] } },
    ],
    ['rlm_query_batched([], part=[])', { tasks: [], variables: { part: [] } }],
  ])('sends them by name: %s', async (code, expected) => {
    expect(await sent(code)).toEqual(expected);
  });

  it.each([
    [
      'rlm_query_batched(["t", "u"], a=[1, 2], part=[1, 2, 3])',
      'TypeError: rlm_query_batched: part must have one value for each of the 2 tasks, but it has 3',
    ],
    [
      'rlm_query_batched(["t", "u"], part="ab")',
      'TypeError: rlm_query_batched: part must be a list with one value for each of the 2 tasks, not str',
    ],
    ['rlm_query_batched(["t", 1], part=[1])', 'TypeError: rlm_query_batched: tasks[1] must be a string, not int'],
    ['rlm_query_batched(part=[1])', "TypeError: rlm_query_batched() missing 1 required positional argument: 'tasks'"],
    ['rlm_query("t", "u")', 'TypeError: rlm_query() takes 1 positional argument but 2 were given'],
    ['rlm_query("t", task="u")', "TypeError: rlm_query() got multiple values for argument 'task'"],
    ['rlm_query("t", **{"a b": 1})', "TypeError: rlm_query: 'a b' cannot be the name of a variable"],
    ['rlm_query("t", **{"class": 1})', "TypeError: rlm_query: 'class' cannot be the name of a variable"],
    ['rlm_query("t", __doc__=1)', "TypeError: rlm_query: '__doc__' cannot be the name of a variable"],
    ['rlm_query("t", part={"x"})', 'TypeError: rlm_query: part: expected Any, got set of 1 item; '],
    ['rlm_query("t", part=[1, float("inf")])', 'ValueError: rlm_query: part[1]: inf is not a number in JSON'],
    ['d = {}\nd["d"] = d\nrlm_query("t", part=d)', 'ValueError: rlm_query: part.d: it contains itself'],
  ])('refuses what cannot be one: %s', async (code, expected) => {
    const result = await under.run(code);
    expect(result.error).toContain(expected);
  });

  it('has calls that are told apart by their variables', async () => {
    const hashes: string[] = [];
    const code = 'for v in [{"a": 1}, {"a": 2}, {"b": 1}, {}, {"a": 1}]: rlm_query("t", **v)';
    await under.run(code, {}, (call) => hashes.push(call.hash));
    expect(new Set(hashes).size).toBe(4);
    expect(hashes[0]).toBe(hashes[4]);
  });

  it('shows them in its signature', async () => {
    const result = await under.run('import inspect\nprint(inspect.signature(rlm_query))');
    expect(result.stdout).toBe('(task: str, **variables)\n');
  });
});

describe('a function with annotations', () => {
  const WEATHER = {
    name: 'weather',
    doc: 'Tells the weather.\n\nArgs:\n    city: Its name.\n    days: How many.\n',
    parameters: [
      { name: 'city', type: 'any', annotation: 'str' },
      { name: 'units', type: 'any', annotation: "Literal['C', 'F']", default: 'C', keyword_only: true },
      { name: 'days', type: 'any', annotation: 'dict[str, int] | None', default: null },
      { name: 'self', type: 'str', default: '' },
    ],
  } as const satisfies HostFunction;
  let fresh: KernelUnderTest;

  beforeAll(async () => {
    fresh = await KernelUnderTest.start({ setup: false });
  });

  afterAll(async () => {
    await fresh.stop();
  });

  it('shows them in its signature and help, and evaluates none', async () => {
    const located: unknown[] = [];
    const optional = { type: 'any', optional: true, annotation: 'int | None' } as const;
    const locate: HostFunction = {
      name: 'locate',
      doc: '',
      parameters: [
        { name: 'a', type: 'any' },
        { name: 'b', ...optional },
        { name: 'c', ...optional, keyword_only: true },
      ],
    };
    const evil = { name: 'evil', doc: '', parameters: [{ name: 'a', type: 'any', annotation: 'exit(' }] } as const;
    const under = await KernelUnderTest.start({ functions: [WEATHER, evil, locate] });
    try {
      const shown = await under.run(
        'import inspect\nprint(inspect.signature(weather), inspect.signature(evil), inspect.signature(locate))\nprint(weather.__doc__)',
      );
      expect(shown.stdout).toBe(
        "(city: str, days: dict[str, int] | None = None, self: str = '', *, units: Literal['C', 'F'] = 'C') (a: exit() (a, b: int | None = None, *, c: int | None = None)\n" +
          'Tells the weather.\n\nArgs:\n    city: Its name.\n    days: How many.\n\n',
      );
      const help = await under.run('help(weather)');
      expect(help.stdout).toMatch(/weather\(\s*city: str,\s+days: dict\[str, int\] \| None = None,\s+self: str = ''/);
      expect(help.stdout).toContain('    Args:\n        city: Its name.\n');
      let seen: unknown;
      await under.run('weather("Bern", {"a": 1}, units="F")', {}, (call) => (seen = call.arguments));
      expect(seen).toEqual({ city: 'Bern', days: { a: 1 }, self: '', units: 'F' });
      await under.run('locate("here", b=None)\nlocate("here", c=1)', {}, (call) => located.push(call.arguments));
      expect(located).toEqual([
        { a: 'here', b: null },
        { a: 'here', c: 1 },
      ]);
      const refused = await under.run('weather("Bern", None, "", "F")');
      expect(refused.error).toContain('TypeError: weather() takes from 1 to 3 positional arguments but 4 were given');
    } finally {
      await under.stop();
    }
  });

  it.each<[string, unknown]>([
    ['two kinds of variables', { variables: 'two' }],
    ['a parameter called variables', { variables: 'one', parameters: [{ name: 'variables', type: 'any' }] }],
    ['variables for each of nothing', { variables: 'each', parameters: [{ name: 'task', type: 'str' }] }],
    ['an annotation that is no text', { parameters: [{ name: 'a', type: 'any', annotation: 1 }] }],
    ['keyword_only that is no truth value', { parameters: [{ name: 'a', type: 'any', keyword_only: 1 }] }],
    [
      'a required parameter after an optional one',
      {
        parameters: [
          { name: 'a', type: 'any', default: 1 },
          { name: 'b', type: 'any' },
        ],
      },
    ],
  ])('is refused with %s', async (_, wrong) => {
    const functions = [{ ...WEATHER, ...(wrong as object) }] as readonly HostFunction[];
    await expect(fresh.setup({}, functions)).rejects.toMatchObject({ type: 'Input.Invalid' });
  });
});

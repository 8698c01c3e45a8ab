import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BlockResult, OutputVariable } from '../../src/domain/kernel-protocol.ts';
import { checkOutputs, describeProblems } from '../../src/domain/signature/check-value.ts';
import { parseType } from '../../src/domain/signature/notation.ts';
import type { FieldType } from '../../src/domain/signature/field-type.ts';
import { renderType } from '../../src/domain/signature/render.ts';
import { Chance } from './chance.ts';
import { KernelUnderTest } from './kernel-under-test.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_240_601);

/** A kernel for the output fields, given as `name: type` pairs. */
function kernelFor(fields: Readonly<Record<string, string>>): Promise<KernelUnderTest> {
  return KernelUnderTest.start({ outputs: outputsOf(fields) });
}

function outputsOf(fields: Readonly<Record<string, string>>): OutputVariable[] {
  return Object.entries(fields).map(([name, type]) => ({ name, type: parseType(type) }));
}

function valueOf({ final }: BlockResult): unknown {
  expect(final).not.toBeNull();
  return final?.value;
}

describe('SUBMIT', () => {
  let under: KernelUnderTest;
  const fields = { answer: 'str', wealth: 'list[{chapter: int, amount?: float}]', note: 'str | None' };

  beforeAll(async () => {
    under = await kernelFor(fields);
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it('ends the block with all fields', async () => {
    const code =
      'SUBMIT(answer="a", wealth=[{"chapter": 1, "amount": 2}, {"chapter": 3.0}], note=None)\nprint("not reached")';
    expect(await under.run(code)).toMatchObject({
      status: 'ok',
      error: null,
      stdout: '',
      final: { value: { answer: 'a', wealth: [{ chapter: 1, amount: 2 }, { chapter: 3 }], note: null } },
    });
  });

  it('takes fields by position too, and shows its signature', async () => {
    expect((await under.run('SUBMIT("a", [], None)')).final).toEqual({
      value: { answer: 'a', wealth: [], note: null },
    });
    const shown = await under.run('import inspect\nprint(inspect.signature(SUBMIT))\nprint(SUBMIT.__doc__)');
    expect(shown.stdout).toBe(
      "(answer: 'str', wealth: 'list[{chapter: int, amount?: float}]', note: 'str | None')\n" +
        'Ends the work with the result: SUBMIT(answer: str, wealth: list[{chapter: int, amount?: float}], note: str | None).' +
        ' Fields are checked; what is wrong is raised.\n',
    );
  });

  it.each([
    [
      'SUBMIT(answer="a", wealth=[{"chapter": 1}, {"chapter": "three"}], note=None)',
      "TypeError: SUBMIT: wealth[1].chapter: expected int, got str 'three'\n(nothing was submitted; expected SUBMIT(answer: str, ",
    ],
    [
      'SUBMIT(anwser="a", wealth=7)',
      'TypeError: SUBMIT: 4 problems, nothing was submitted:\n' +
        '  answer: is missing; expected str\n' +
        '  wealth: expected list[{chapter: int, amount?: float}], got int 7\n' +
        '  note: is missing; expected str | None\n' +
        '  anwser: there is no such field; did you mean answer?\n' +
        'expected SUBMIT(answer: str, ',
    ],
    [
      'SUBMIT("a", [{"chapter": 1, "amount": float("nan")}], None)',
      'ValueError: SUBMIT: wealth[0].amount: nan is not a number',
    ],
    ['SUBMIT("a", [{}], None)', 'TypeError: SUBMIT: wealth[0].chapter: is missing; expected int'],
    ['SUBMIT("a", [], None, 4)', 'TypeError: SUBMIT: there are 3 fields, not 4: SUBMIT(answer: str'],
    ['SUBMIT("a", [], answer="b")', 'TypeError: SUBMIT: answer is given twice'],
    ['SUBMIT(42, [], None)', 'TypeError: SUBMIT: answer: expected str, got int 42'],
    ['SUBMIT("a", [{"chapter": True}], None)', 'TypeError: SUBMIT: wealth[0].chapter: expected int, got bool True'],
    ['FINAL("a")', 'TypeError: FINAL gives one value and there are 3 fields: call SUBMIT(answer: str'],
  ])('says what is wrong: %s', async (code, expected) => {
    const result = await under.run(code);
    expect(result).toMatchObject({ status: 'error', final: null });
    expect(result.error?.replace(/^Traceback[^]*?\n(?=\w+Error)/, '').slice(0, expected.length)).toBe(expected);
  });

  it('can be called again where it was wrong; the first that was right counts', async () => {
    const code =
      'try:\n    SUBMIT(answer=1)\nexcept TypeError as error:\n    print("mended")\nd = {"chapter": 1}\ntry:\n    SUBMIT("a", [d], None)\nexcept KeyboardInterrupt:\n    d["chapter"] = 2\nSUBMIT("b", [], None)';
    expect(await under.run(code)).toMatchObject({
      status: 'ok',
      stdout: 'mended\n',
      final: { value: { answer: 'a', wealth: [{ chapter: 1 }], note: null } },
    });
  });

  it('ends the block from a thread, and is an error in a forked process', async () => {
    const thread =
      'import threading, time\nthreading.Thread(target=SUBMIT, args=("a", [], None)).start()\ntime.sleep(60)';
    expect(await under.run(thread)).toMatchObject({ status: 'ok', final: { value: { answer: 'a' } } });
    const forked = await under.run('import os\nif os.fork() == 0:\n    SUBMIT("a", [], None)\nprint(os.wait()[1])');
    expect(forked).toMatchObject({
      final: null,
      stderr: expect.stringMatching(/RuntimeError: SUBMIT cannot be called in another/),
    });
  });

  it('takes all fields from FINAL as one dict', async () => {
    const code = 'found = {"answer": "a", "wealth": [], "note": "n"}\nFINAL_VAR("found")';
    expect((await under.run(code)).final).toEqual({ value: { answer: 'a', wealth: [], note: 'n' } });
  });

  it('is there again after it was overwritten, and after the REPL died', async () => {
    await under.run('SUBMIT = FINAL = None');
    expect((await under.run('SUBMIT("a", [], None)')).final).not.toBeNull();
    expect(await under.run('import os\nos._exit(3)')).toMatchObject({ status: 'crashed' });
    expect((await under.run('SUBMIT("a", [], None)')).final).not.toBeNull();
  });
});

describe('a setup with outputs', () => {
  let under: KernelUnderTest;

  beforeEach(async () => {
    under = await KernelUnderTest.start({ setup: false });
  });

  afterEach(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  it('is refused where the fields are wrong', async () => {
    const str = { kind: 'str' };
    const wrong: unknown[] = [
      {},
      [],
      [{ name: 'a b', type: str }],
      [{ name: 'a', type: { kind: 'set' } }],
      [{ name: 'a', type: { kind: 'list' } }],
      [{ name: 'a', type: { kind: 'union', members: [str, 7] } }],
      [{ name: 'a' }],
      [1, 2].map(() => ({ name: 'a', type: str })),
    ];
    for (const outputs of wrong) {
      // oxlint-disable-next-line no-await-in-loop -- one kernel refuses them all
      await expect(under.setup({}, [], { outputs: outputs as OutputVariable[] })).rejects.toMatchObject({
        type: 'Input.Invalid',
      });
    }
  });

  it('FINAL gives the only field, checked', async () => {
    await under.setup({}, [], { outputs: outputsOf({ scores: 'list[float]' }) });
    expect(await under.run('FINAL(["x"])')).toMatchObject({
      status: 'error',
      error: expect.stringMatching(/TypeError: FINAL: scores\[0\]: expected float, got str 'x'/),
      final: null,
    });
    expect((await under.run('FINAL((1, 2.5))')).final).toEqual({ value: { scores: [1, 2.5] } });
  });

  it('without outputs there is no SUBMIT', async () => {
    await under.setup();
    expect((await under.run('SUBMIT(answer=1)')).error).toMatch(/NameError: name 'SUBMIT' is not defined/);
  });
});

describe('the values that a field takes', () => {
  let under: KernelUnderTest;
  const PREPARED = `
import collections, dataclasses, datetime, decimal, enum, fractions, pathlib, types, uuid
@dataclasses.dataclass
class Point:
    x: int
    inner: object = None
Pair = collections.namedtuple("Pair", "a b")
class Color(enum.Enum): RED = "red"
class Level(enum.IntEnum): HIGH = 3
class Text(str):
    def __str__(self): return "other"
class Array:
    "As numpy's: it knows how to become a list."
    def __init__(self, items): self.items = items
    def tolist(self): return self.items
class Frame:
    "As pandas': records."
    columns = ["a"]
    def to_dict(self, orient): return [{"a": 1}, {"a": float("nan")}] if orient == "records" else 1/0
class Index:
    def __init__(self, labels, name=None):
        self.labels, self.names, self.nlevels = labels, [name], 1
        self.dtype = types.SimpleNamespace(kind="i" if isinstance(labels[0], int) else "O")
class Column:
    "As pandas' Series: values, and an index of numbers or labels."
    def __init__(self, values, labels=(0, 1), name=None): self.values, self.index = values, Index(labels, name)
    def __len__(self): return len(self.values)
    def tolist(self): return self.values
    def to_dict(self): return dict(zip(self.index.labels, self.values))
class Labelled(Frame):
    def __init__(self, name=None): self.index = Index(["p", "q"], name)
    def __len__(self): return 2
    def reset_index(self): return Frame()
class Broken:
    def tolist(self): return 1/0
class Odd:
    def __repr__(self): raise ValueError
def submit(kind, value):
    "SUBMIT's checks without its end."
    from rlm_kernel.typed import Checker
    checker = Checker()
    found = checker.convert(value, kind, (None, "v"))
    return checker.text() if checker.count else found
`;

  beforeAll(async () => {
    under = await kernelFor({ v: 'Any' });
    await under.run(PREPARED);
  });

  afterAll(async () => {
    await under.stop();
    expect(under.complaints).toBe('');
  });

  /** What comes of each value, all in one block: the JSON that arrives, or the problem. */
  async function submitted(cases: readonly (readonly [string, string, ...unknown[]])[]): Promise<unknown[]> {
    const calls = cases.map(
      ([type, code]) => `submit(json.loads(${JSON.stringify(JSON.stringify(parseType(type)))}), ${code})`,
    );
    const result = await under.run(`import json\nFINAL([${calls.join(',\n')}])`);
    expect(result.error).toBeNull();
    return (valueOf(result) as { v: unknown[] }).v;
  }

  it('of every kind, as JSON', async () => {
    const cases: [string, string, unknown][] = [
      ['str', '"ü \\U0001f600"', 'ü 😀'],
      ['str', '"\\ud800 half"', '\\ud800 half'],
      ['str', 'Text("mine")', 'mine'],
      ['str', 'datetime.date(2024, 2, 29)', '2024-02-29'],
      ['str', 'datetime.datetime(2024, 2, 29, 1, tzinfo=datetime.timezone.utc)', '2024-02-29T01:00:00+00:00'],
      ['str', 'pathlib.PurePosixPath("/a")', '/a'],
      ['str', 'uuid.UUID(int=0)', '00000000-0000-0000-0000-000000000000'],
      ['str', 'Color.RED', 'red'],
      ["Literal['red', 'blue']", 'Color.RED', 'red'],
      ['Literal[3]', 'Level.HIGH', 3],
      ['int', '3.0', 3],
      ['int', '2**53 - 1', Number.MAX_SAFE_INTEGER],
      ['int', '2**53', '9007199254740992'],
      ['int', '-2**64', '-18446744073709551616'],
      ['int', '10**5000', `1${'0'.repeat(5000)}`],
      ['float', '2**60', 2 ** 60],
      ['float', 'decimal.Decimal("1.5")', 1.5],
      ['int', 'decimal.Decimal(7)', 7],
      ['float | int', '2**60 + 1', '1152921504606846977'],
      [
        'Any',
        '[2**60, (1, 2), range(3), collections.deque("ab"), {1: "a", None: 2, True: 3, 1.5: 4}]',
        ['1152921504606846976', [1, 2], [0, 1, 2], ['a', 'b'], { '1': 3, null: 2, '1.5': 4 }],
      ],
      ['Any', 'None', null],
      ['list', '[]', []],
      ['dict', '{}', {}],
      ['dict[int, list[None]]', '{1: [None]}', { '1': [null] }],
      ['dict[str, int]', 'collections.Counter("aab")', { a: 2, b: 1 }],
      ['dict', 'types.MappingProxyType({"a": 1})', { a: 1 }],
      ['tuple[int, str]', '[1, "a"]', [1, 'a']],
      ['tuple[int, ...]', '(1, 2)', [1, 2]],
      ['dict', 'Point(1, Point(2))', { x: 1, inner: { x: 2, inner: null } }],
      ['{x: int, inner: Any}', 'Point(1, Color.RED)', { x: 1, inner: 'red' }],
      ['{a: int, b: str}', 'Pair(1, "x")', { a: 1, b: 'x' }],
      ['list', 'Pair(1, "x")', [1, 'x']],
      ['Any', 'Pair(1, "x")', [1, 'x']],
      ['list[dict]', '[Pair(1, "x")]', [{ a: 1, b: 'x' }]],
      ['list[list[int]]', 'Array([Array([1]), [2]])', [[1], [2]]],
      ['int', 'Array(3)', 3],
      ['list[{a: int | None}]', 'Frame()', [{ a: 1 }, { a: null }]],
      ['list[int]', 'Column([7, 8])', [7, 8]],
      ['Any', 'Column([7, 8])', [7, 8]],
      ['Any', 'Column([7, 8], (5, 3))', [7, 8]],
      ['Any', 'Column([7, float("nan")], ("p", "q"))', { p: 7, q: null }],
      ['Any', 'Column([7, 8], (5, 3), "id")', { '5': 7, '3': 8 }],
      ['list[int]', 'Column([7, 8], ("p", "q"))', [7, 8]],
      ['list[int] | None', 'Column([7, 8], ("p", "q"))', [7, 8]],
      ['dict[str, int]', 'Column([7, 8], ("p", "q"))', { p: 7, q: 8 }],
      ['dict[int, int]', 'Column([7, 8])', { '0': 7, '1': 8 }],
      ['list[{a: int | None}]', 'Labelled("a")', [{ a: 1 }, { a: null }]],
      ['Any', '{"k": {}.keys()}', { k: [] }],
      ['{a: int, ...}', '{"a": 1, "b": [1]}', { a: 1, b: [1] }],
    ];
    expect(await submitted(cases)).toEqual(cases.map(([, , expected]) => expected));
  });

  it('what JSON cannot hold is refused, with what to do', async () => {
    const cases: [string, string, string][] = [
      ['Any', 'float("inf")', 'v: inf is not a number in JSON; use None (its type must allow it), or leave it out'],
      [
        'Any',
        '[1, float("nan")]',
        'v[1]: nan is not a number in JSON; use None (its type must allow it), or leave it out',
      ],
      [
        'list',
        'Labelled()',
        'v: expected list, got Labelled; its rows have labels: write .reset_index(), or .reset_index(drop=True) to leave them out',
      ],
      ['Any', '{1, 2}', 'v: expected Any, got set of 2 items; JSON has no sets: write sorted(...)'],
      ['str', 'b"abc"', 'v: expected str, got bytes; JSON has no bytes: decode them, or use base64'],
      ['Any', '{"f": print}', 'v.f: expected Any, got builtin_function_or_method; it is a function'],
      ['Any', 'int', 'v: expected Any, got type; it is a class'],
      ['list', '(i for i in [])', 'v: expected list, got generator; write list(...)'],
      ['Any', 'Odd()', 'v: expected Any, got Odd; JSON has no Odd objects: convert it to a dict, a list or a str'],
      ['Any', 'Broken()', 'v: expected Any, got Broken; turning it into JSON failed (ZeroDivisionError)'],
      ['Any', '1j', 'v: expected Any, got complex; JSON has no complex objects: convert it to a dict, a list or a str'],
      ['Any', 'datetime.timedelta(1)', 'v: expected Any, got timedelta; write its total_seconds()'],
      [
        'Any',
        'decimal.Decimal("0.1234567890123456789")',
        'v: expected Any, got Decimal; it has more digits than a float: write float(...) or str(...)',
      ],
      [
        'Any',
        'fractions.Fraction(1, 3)',
        'v: expected Any, got Fraction; JSON has no Fraction objects: convert it to a dict, a list or a str',
      ],
      ['dict', '{(1, 2): 3}', 'v: tuple of 2 items cannot be a key in JSON; use texts or numbers'],
      ['dict', '{1: 2, "1": 3}', "v['1']: two keys of the dict are the same in JSON"],
      ['dict[int, str]', '{"one": "x"}', "v.one: expected a key of type int, got str 'one'"],
      ['int', 'True', 'v: expected int, got bool True'],
      ['int', '3.5', 'v: expected int, got float 3.5'],
      ['int', '"3"', "v: expected int, got str '3'"],
      ['float', '10**400', 'v: it is too large for a float'],
      ['str', 'None', 'v: expected str, got None'],
      ["Literal['a', 1]", 'True', "v: expected Literal['a', 1], got bool True"],
      ['tuple[int, str]', '(1,)', 'v: expected tuple[int, str], got tuple of 1 item'],
      ['int | None', '"x"', "v: expected int | None, got str 'x'"],
      ['list[int] | None', '[1, "x"]', "v[1]: expected int, got str 'x'"],
      ['{a: int}', '{"a": 1, "odd key": 2}', "v['odd key']: there is no such key; the keys are a"],
      [
        'list[int]',
        '["x"] * 30',
        Array.from({ length: 20 }, (_, index) => `v[${index}]: expected int, got str 'x'`).join('\n') +
          '\n... and 10 more',
      ],
    ];
    expect(await submitted(cases)).toEqual(cases.map(([, , expected]) => expected));
  });

  it('what contains itself, or is nested too deeply, is refused', async () => {
    const looped = await under.run('x = {"a": []}\nx["a"].append(x)\nSUBMIT(x)');
    expect(looped.error).toMatch(/ValueError: SUBMIT: v\.a\[0\]: it contains itself/);
    const deep = await under.run('x = []\nfor _ in range(150): x = [x]\nSUBMIT(x)');
    expect(deep.error).toMatch(/expected Any, got something nested deeper than 100/);
    expect((await under.run('y = [1]\nSUBMIT([y, y])')).final).toEqual({ value: { v: [[1], [1]] } });
  });

  it('text of 50 MB', async () => {
    const result = await under.run('SUBMIT("ä" * 25_000_000)');
    expect((valueOf(result) as { v: string }).v.length).toBe(25_000_000);
    expect((await under.run('1')).status).toBe('ok');
  });

  it(`kernel and host judge alike, in the same words (FUZZ_SEED=${SEED})`, async () => {
    const chance = new Chance(SEED);
    const cases = Array.from({ length: 400 }, () => {
      const type = randomType(chance);
      return {
        type,
        name: renderType(type),
        value: chance.number(3) === 0 ? randomValue(chance) : valueOfType(chance, type),
      };
    });
    const judge = 'FINAL([[render(case["type"]), submit(case["type"], case["value"])] for case in json.loads(CASES)])';
    const code = `import json\nfrom rlm_kernel.field_types import render\nCASES = ${JSON.stringify(JSON.stringify(cases))}\n${judge}`;
    const theirs = (valueOf(await under.run(code)) as { v: unknown[] }).v;
    const ours = cases.map(({ type, name, value }) => {
      const checked = checkOutputs({ outputs: [{ name: 'v', type }] }, { v: value });
      return [name, checked.ok ? checked.values['v'] : describeProblems(checked.problems)];
    });
    // Who was meant by a misspelt key is guessed in two ways.
    const withoutGuesses = (verdicts: unknown): unknown =>
      JSON.parse(JSON.stringify(verdicts).replaceAll(/there is no such key; [^"\\]*/g, ''));
    expect(withoutGuesses(theirs)).toEqual(withoutGuesses(ours));
    const right = ours.filter(([, verdict]) => !String(verdict).startsWith('v')).length;
    expect(right).toBeGreaterThan(100);
    expect(right).toBeLessThan(350);
  });

  it('the host finds right what the kernel found right, and changes nothing', async () => {
    const outputs = outputsOf({ v: 'list[int | str]', w: 'dict[float, Any]', f: 'float' });
    const kernel = await KernelUnderTest.start({ outputs });
    const code = 'SUBMIT([2**70, 1.0, "\\ud800"], {1e22: 2**80, 0.5: (None,), 3: 1e-7}, 2**53)';
    const { final } = await kernel.run(code);
    await kernel.stop();
    expect(final?.value).toEqual({
      v: ['1180591620717411303424', 1, '\\ud800'],
      w: { '1e+22': '1208925819614629174706176', '0.5': [null], '3': 1e-7 },
      f: 2 ** 53,
    });
    expect(checkOutputs({ outputs }, final?.value)).toEqual({ ok: true, values: final?.value });
  });
});

const KEYS = ['a', 'b', 'odd key', '1', '-20', '1.5', 'true', 'null'];

function randomType(chance: Chance, depth = 0): FieldType {
  const simple = ['str', 'int', 'float', 'bool', 'none', 'any'] as const;
  const inner = (): FieldType => randomType(chance, depth + 1);
  switch (chance.number(depth > 3 ? 4 : 10)) {
    case 4:
      return { kind: chance.pick(['list', 'tuple_of']), item: inner() };
    case 5:
      return { kind: 'dict', key: randomKeyType(chance), value: inner() };
    case 6:
      return { kind: 'tuple', items: [inner(), inner()].slice(chance.number(3)) };
    case 7:
      return { kind: 'literal', values: ['a', "it's", 1, true, null].slice(chance.number(4)) };
    case 8:
      return { kind: 'union', members: [inner(), inner(), { kind: 'none' }] };
    case 9:
      return {
        kind: 'object',
        properties: KEYS.slice(0, chance.number(4)).map((name) => ({
          name,
          type: inner(),
          required: chance.number(2) === 0,
        })),
        additional: chance.number(2) === 0 ? null : inner(),
      };
    default:
      return { kind: chance.pick(simple) };
  }
}

function randomKeyType(chance: Chance): FieldType {
  const simple: FieldType[] = [{ kind: 'str' }, { kind: 'int' }, { kind: 'float' }, { kind: 'bool' }, { kind: 'any' }];
  return chance.pick<FieldType>([
    ...simple,
    { kind: 'literal', values: ['a', 1, true, null] },
    { kind: 'union', members: [{ kind: 'int' }, { kind: 'bool' }] },
  ]);
}

function randomValue(chance: Chance, depth = 0): unknown {
  switch (chance.number(depth > 3 ? 3 : 5)) {
    case 0:
      return chance.pick(['', 'a', "it's", 'b"c', 'x'.repeat(60), '1', 'ä 😀']);
    case 1:
      return chance.pick([0, 1, -1, 1.5, -0.001, 2 ** 53 - 1, 1e15 + 0.5]);
    case 2:
      return chance.pick([null, true, false]);
    case 3:
      return Array.from({ length: chance.number(4) }, () => randomValue(chance, depth + 1));
    default:
      return Object.fromEntries(KEYS.slice(chance.number(8)).map((key) => [key, randomValue(chance, depth + 1)]));
  }
}

/** A value that fits, most of the time. */
function valueOfType(chance: Chance, type: FieldType): unknown {
  const inner = (each: FieldType): unknown =>
    chance.number(20) === 0 ? randomValue(chance) : valueOfType(chance, each);
  const fitting: Partial<Record<FieldType['kind'], () => unknown>> = {
    str: () => chance.pick(['a', 'ä', '']),
    int: () => chance.pick([0, -7, 2 ** 53 - 1]),
    float: () => chance.pick([0.5, 3, -1e-4]),
    bool: () => chance.number(2) === 0,
    none: () => null,
  };
  switch (type.kind) {
    case 'list':
    case 'tuple_of':
      return Array.from({ length: chance.number(3) }, () => inner(type.item));
    case 'tuple':
      return type.items.map(inner);
    case 'literal':
      return chance.pick(type.values);
    case 'union':
      return inner(chance.pick(type.members));
    case 'dict':
      return Object.fromEntries(KEYS.slice(chance.number(8)).map((key) => [key, inner(type.value)]));
    case 'object':
      return Object.fromEntries(type.properties.map(({ name, type: each }) => [name, inner(each)]));
    default:
      return (fitting[type.kind] ?? (() => randomValue(chance)))();
  }
}

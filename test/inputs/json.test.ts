import { afterAll, describe, expect, it } from 'vitest';
import { parseType } from '../../src/domain/signature/notation.ts';
import { JsonCheck } from '../../src/inputs/json-check.ts';
import { JsonLinesCheck } from '../../src/inputs/json-lines.ts';
import { ListItems } from '../../src/inputs/list-items.ts';
import { sized } from '../sizes.ts';
import { kernelViews } from './kernel-summary.ts';
import { Reading } from './reading.ts';

const reading = new Reading();
afterAll(() => {
  reading.remove();
});

/** What is said of bytes that come in pieces of this size; undefined where they are refused. */
function said(format: 'json' | 'jsonl', type: string, bytes: Buffer, size: number): unknown {
  const field = { name: 'value', type: parseType(type) };
  try {
    if (format === 'jsonl') {
      const items = new ListItems(field, 'file');
      const check = new JsonLinesCheck('file', items);
      for (let start = 0; start < bytes.length; start += size) check.take(bytes.subarray(start, start + size));
      check.end();
      return items.summary();
    }
    const check = new JsonCheck(field, 'file');
    for (let start = 0; start < bytes.length; start += size) check.take(bytes.subarray(start, start + size));
    check.end();
    return check.summary();
  } catch (error) {
    expect(error).toMatchObject({ name: 'Input.Invalid' });
    return undefined;
  }
}

async function agrees(format: 'json' | 'jsonl', type: string, contents: readonly string[]): Promise<void> {
  const views = await kernelViews(
    contents.map((content) => ({ name: 'value', type: parseType(type), format, bytes: Buffer.from(content) })),
  );
  const theirs = views.map((view, index) => [contents[index], 'summary' in view ? view.summary : undefined]);
  for (const size of [1, 7, 100]) {
    expect(contents.map((content) => [content, said(format, type, Buffer.from(content), size)])).toEqual(theirs);
  }
}

/** Numbers that are the same in every run. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

/** Texts that are right, some of them with a character put in, taken out or changed. */
function spoilt(contents: readonly string[], marks: string, seed: number): string[] {
  const random = chance(seed);
  return contents.map((content, index) => {
    if (index % 3 === 0) return content;
    const place = random(content.length + 1);
    const mark = marks[random(marks.length)] ?? '';
    const left = [mark + content.slice(place), content.slice(place + 1), mark + content.slice(place + 1)];
    return content.slice(0, place) + (left[random(3)] ?? '');
  });
}

function randomValue(random: (below: number) => number, depth: number): unknown {
  const texts = ['', 'a', '\\', '"', '\\"]}', '{[,:', 'ä😀', '\n\t', '\u2028'];
  const simple = [null, true, false, 0, -1.5, 1e300, 12345, texts[random(texts.length)]];
  const kind = depth === 0 ? 2 + random(2) : random(8);
  if (depth > 3 || kind > 3) return simple[random(simple.length)];
  const items = Array.from({ length: random(6) }, () => randomValue(random, depth + 1));
  if (kind % 2 === 0) return items;
  return Object.fromEntries(items.map((item, index) => [`${texts[random(texts.length)]}${index}x`, item]));
}

describe('JSON is taken, refused and shown as the kernel reads it, wherever its pieces are cut', () => {
  it('of any shape', async () => {
    const random = chance(3);
    const contents = Array.from({ length: sized(150, 400) }, (_, index) =>
      JSON.stringify(randomValue(random, 0), undefined, index % 2 === 0 ? 1 : 0),
    );
    await agrees('json', 'Any', spoilt(contents, '[]{},:"\\ 1n\n', 5));
    await agrees('json', 'list | dict[str, Any]', spoilt(contents, '[]{},:"\\ 1n\n', 6));
    await agrees('json', 'list[dict[str, int | list] | float | None]', spoilt(contents, '[]{},:"\\ 1n\n', 8));
  });

  it('on lines', async () => {
    const random = chance(4);
    const contents = Array.from({ length: sized(100, 300) }, () =>
      Array.from({ length: random(6) }, () => JSON.stringify(randomValue(random, 1))).join(
        random(2) === 0 ? '\n' : '\r\n',
      ),
    );
    await agrees('jsonl', 'list', spoilt(contents, '[]{},:"\\ 1n\n\v', 7));
  });

  // The ideas of JSONTestSuite.
  it('of odd texts', async () => {
    const right = [
      '[]',
      '{}',
      '[[]   ]',
      '[""]',
      '[ 1]',
      '[1 ]',
      '[true]',
      'null',
      '-0',
      '-1',
      '1E22',
      '1E+2',
      '1e-2',
      '0e1',
      '0.1',
      '[-0]',
      '-123123e-5',
      '20e1',
      '"\\u0060\\u012a\\u12AB"',
      '"\\uD801\\udc37"',
      '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
      '"\\u0000"',
      '" "',
      '"\u2028\u2029"',
      '"\u007f"',
      '"€𝄞"',
      '"\\uD800"',
      '"\\uDFAA"',
      '"\\uD888\\u1234"',
      '"\\uD800\\n"',
      '{"a":"b","a":"c"}',
      '{"":0}',
      '{"a":[]}',
      '{"foo\\u0000bar": 42}',
      ' [1] ',
      '\t\r\n[1]\n',
      '[null, 1, "1", {}]',
      '[1,null,null,null,2]',
      '123456789012345678901234567890',
      '[1e308]',
      '[-1.7976931348623157e308]',
      '[4.9e-324]',
      '1.0',
      '[1.0, 10.00, 1e0]',
      '{"10": 1, "9": 2, "a": 3}',
      '['.repeat(99) + ']'.repeat(99),
    ];
    const wrong = [
      '',
      ' ',
      '[1 true]',
      '[a\u00e5]',
      '["": 1]',
      '[""],',
      '[,1]',
      '[1,,2]',
      '["x",,]',
      '["x"]]',
      '["",]',
      '["x"',
      '[x',
      '[3[4]]',
      '[1:2]',
      '[,',
      '[*]',
      '[1,\n1\n,1',
      '[1',
      '[""',
      '[fals]',
      '[nul]',
      '[tru]',
      '-',
      '[-]',
      '[+1]',
      '[01]',
      '[-01]',
      '[.1]',
      '[1.]',
      '[1.e1]',
      '[0e]',
      '[0E+]',
      '[1e]',
      '[1eE2]',
      '[2.e+3]',
      '[0x1]',
      '[1_000]',
      '[Infinity]',
      '[-Infinity]',
      '[NaN]',
      '[1e999]',
      '[１]',
      '[- 1]',
      '[--1]',
      '[1+2]',
      '{"x", null}',
      '{"x"::"b"}',
      '{"a":"a" 123}',
      '{key: 1}',
      '{[: "x"}',
      '{"a" b}',
      '{:"b"}',
      '{"a" "b"}',
      '{"a":',
      '{"a"',
      '{1:1}',
      '{null:null}',
      '{"id":0,}',
      '{"a":/*c*/"b"}',
      "{'a':0}",
      '{"a":"b"}#',
      '{"a":"b",,"c":"d"}',
      '{"a":"b"}}',
      '{"a":"a',
      '{',
      '"\\a"',
      '"\\x00"',
      '"\\u00A"',
      '"\\uD834\\uDd"',
      '"\\',
      '"new\nline"',
      '"\t"',
      '"\\ua',
      "'single'",
      'abc',
      '"',
      '"\u0000"',
      '<.>',
      '[<null>]',
      '\u00a0[1]',
      '\u2060[]',
      '[\u000c]',
      '[1]x',
      '2@',
      '{}}',
      '*',
      'nulll',
      '1]',
      '[True]',
      '/* */ []',
      '# x\n[]',
      '['.repeat(100_000),
    ];
    await agrees('json', 'Any', [...right, ...wrong]);
    for (const content of right)
      expect([content, said('json', 'Any', Buffer.from(content), 3) !== undefined]).toEqual([content, true]);
    for (const content of wrong)
      expect([content, said('json', 'Any', Buffer.from(content), 3)]).toEqual([content, undefined]);
  });
});

describe('the place of a fault is told', () => {
  it.each([
    ['list', '[1,\n"a\nb"]', 'line 2 is not JSON: a text holds a line end or another control character'],
    [
      'list',
      '[\n1,\n-Infinity]',
      'line 3 is not JSON: JSON has no NaN or Infinity; write null where a number is missing',
    ],
    ['list', '[\nNaN]', 'line 2 is not JSON: JSON has no NaN or Infinity'],
    ['list[list[int]]', '[[1],\n[2,\n"x"]]', "line 3: v[1][1]: expected int, got str 'x'"],
    ['dict[int, str]', '{"1": "a",\n"x": "b"}', "line 2: v.x: expected a key of type int, got str 'x'"],
    ['{a: int}', '{"a": 1,\n"b": 2}', 'line 2: v.b: there is no such key; did you mean a?'],
    ['list[{a: int}]', '[{"a": 1},\n{}]', 'line 2: v[1].a: is missing; expected int'],
    ['list[int] | None', '[1,\n2.5]', 'line 2: v[1]: expected int, got float 2.5'],
    ['list', '['.repeat(150), `v${'[0]'.repeat(19)}[0...: it is nested deeper than 100; make the field a str`],
    ['dict', '{"a":'.repeat(150), '...: it is nested deeper than 100; make the field a str, which the code can parse'],
    ['list | dict[str, Any]', '['.repeat(150), 'it is nested deeper than 100; make the field a str'],
    ['dict', "{'a': 1}", 'line 1 is not JSON: "\'" is not expected there; texts and keys are in double quotes'],
    ['list', "['a']", 'texts and keys are in double quotes'],
    ['list', '[1, True]', '"T" is not expected there; JSON writes true, false and null'],
    ['dict', '{"a":\nNone}', 'line 2 is not JSON: "N" is not expected there; JSON writes true, false and null'],
    ['list', '// rows\n[]', '"/" is not expected there; JSON has no comments'],
    ['dict', '{"a": 1, /* b */ "b": 2}', 'JSON has no comments'],
    ['list', '[1, # one\n2]', 'JSON has no comments'],
    ['dict', '<!DOCTYPE html><html></html>', 'it looks like a web page or XML; make the field a str'],
    ['Any', '<?xml version="1.0"?><a/>', 'it looks like a web page or XML'],
    ['list', '[.5]', 'a number begins with a digit'],
    ['list', '[+5]', 'a number has no plus sign'],
    ['dict', '{"a": undefined}', 'write null where a value is missing'],
  ])('%s', async (type, content, expected) => {
    reading.write({ 'fault.json': content });
    expect(await reading.refusal(`v: ${type}`, ['v=@fault.json'])).toContain(expected);
  });
});

describe('lines of JSON under any name', () => {
  const ITEMS = [{ a: 1 }, { a: 2 }];
  it.each([
    ['rows.jsonl', '{"a": 1}\n{"a": 2}\n'],
    ['rows.ndjson', '{"a": 1}\r\n\r\n{"a": 2}'],
    ['rows.json', '{"a": 1}\n{"a": 2}\n'],
    ['rows.txt', '{"a": 1}\n{"a": 2}\n'],
    ['rows', '\n{"a": 1}\n{"a": 2}\n'],
    ['array.jsonl', '[{"a": 1},\n{"a": 2}]\n'],
    ['array.json', '[{"a": 1}, {"a": 2}]'],
    ['array.txt', '[\n{"a": 1}, {"a": 2}]'],
  ])('%s', async (name, content) => {
    expect((await reading.of('list[dict]', name, content)).value).toEqual(ITEMS);
    expect((await reading.value('list[{a: int}]', '-', content)).value).toEqual(ITEMS);
  });

  it('one line may be an item, or all', async () => {
    expect((await reading.of('list[dict]', 'one.json', '{"a": 1}\n')).value).toEqual([{ a: 1 }]);
    expect((await reading.of('dict', 'one.json', '{"a": 1}\n')).value).toEqual({ a: 1 });
    expect((await reading.of('list[int]', 'one.jsonl', '[1, 2]\n')).value).toEqual([1, 2]);
    expect((await reading.of('list[list[int]]', 'one.jsonl', '[1, 2]\n')).value).toEqual([[1, 2]]);
    expect((await reading.of('list[int]', 'numbers.txt', '1\n2\n')).value).toEqual([1, 2]);
    expect((await reading.of('list', 'empty.jsonl', '')).value).toEqual([]);
    const long = `{"a": "${'x'.repeat(2_000_000)}"}\n`;
    expect((await reading.of('list[dict]', 'long.json', long + long)).value).toHaveLength(2);
  });

  it('and are said to be such', async () => {
    expect((await reading.of('list[dict]', 'rows.log', '{"a": 1}\n{"a": 2}\n')).notes).toEqual([
      'value: read rows.log as JSON Lines: 2 items',
    ]);
    expect((await reading.of('list[dict]', 'rows.jsonl', '{"a": 1}\n{"a": 2}\n')).notes).toEqual([]);
  });
});

it('a gigabyte-like shape, one list in a dict, is checked without being held', async () => {
  const record = JSON.stringify({ id: 1, tags: ['a', 'b'], text: 'x'.repeat(900) });
  const part = Buffer.from(`${record},`.repeat(1000));
  const check = new JsonCheck(
    { name: 'value', type: parseType('{data: list[{id: int, tags: list[str], text: str}]}') },
    'file',
  );
  const before = process.memoryUsage.rss();
  check.take(Buffer.from('{"data": ['));
  for (let count = 0; count < 150; count += 1) check.take(part);
  check.take(Buffer.from(`${record}]}`));
  check.end();
  expect(check.summary()).toMatchObject({ type: 'dict', length: 1 });
  expect(check.summary().preview).toMatch(/^\{'data': \[\{'id': 1, 'tags': \[\.\.\.\], 'text': 'xxx/);
  // 150 MB of JSON would be more than twice as much as values.
  expect((process.memoryUsage.rss() - before) / 1e6).toBeLessThan(150);
});

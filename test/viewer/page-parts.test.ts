import { describe, expect, it } from 'vitest';
import { toCsv } from '../../src/viewer/csv.ts';
import type { AgentRow, AgentTime } from '../../src/viewer/model.ts';
import { shortenTexts, textAt, wholeText } from '../../src/viewer/text.ts';
import { pairs, patchFiles } from '../../viewer/patch-files.ts';
import { readRoute } from '../../viewer/route.ts';
import { groupFailures } from '../../viewer/failure-groups.ts';
import { seconds } from '../../viewer/format.ts';
import { timeScale, timeTicks } from '../../viewer/time-scale.ts';
import { sharedStart, subtreeSums, treeLines, type TreeChoice } from '../../viewer/tree-lines.ts';

describe('a patch', () => {
  const PATCH = [
    'diff --git a/new name.py b/new name.py',
    'new file mode 100644',
    '--- /dev/null',
    '+++ b/new name.py',
    '@@ -0,0 +1,2 @@',
    '+one',
    '+two',
    '\\ No newline at end of file',
    'diff --git a/a.py b/a.py',
    '--- a/a.py',
    '+++ b/a.py',
    '@@ -1,3 +1,3 @@',
    ' same',
    '-old',
    '+now',
    ' --- not a header',
    'diff --git a/x.bin b/x.bin',
    'new file mode 100644',
    'GIT binary patch',
    'literal 3',
    '',
    'diff --git a/from b/to',
    'similarity index 100%',
    'rename from from',
    'rename to to',
    'diff --git a/broken b/broken',
    '--- a/broken',
    '+++ b/broken',
    '@@ -1,9 +1,1 @@',
    'what is this',
    '',
  ].join('\n');

  it('is read file by file, also where one is binary, renamed or broken', () => {
    const files = patchFiles(PATCH);
    expect(files.map(({ name, note, added, removed }) => [name, note, added, removed])).toEqual([
      ['new name.py', 'new', 2, 0],
      ['a.py', '', 1, 1],
      ['x.bin', 'binary, new', 0, 0],
      ['to', 'renamed from from', 0, 0],
      ['broken', '', 0, 0],
    ]);
    expect(files[4]?.raw).toContain('what is this');
  });

  it('has lines side by side', () => {
    const [hunk] = patchFiles(PATCH)[1]?.hunks ?? [];
    const texts = pairs(hunk?.lines ?? []).map(({ left, right }) => [left?.text, right?.text]);
    expect(texts).toEqual([
      ['same', 'same'],
      ['old', 'now'],
      ['--- not a header', '--- not a header'],
    ]);
  });
});

const row = (id: string, fields: Partial<AgentRow> = {}): AgentRow => ({
  id,
  depth: id.split('.').length - 1,
  task: `task of ${id}`,
  state: 'done',
  status: 'completed',
  iteration: 1,
  usage: { input_tokens: 0, output_tokens: 0, cost: 1, llm_calls: 1 },
  started_at: 0,
  ended_at: 1,
  execution_time: 1,
  error: null,
  source: 'final',
  version: '',
  ...fields,
});

describe('a tree', () => {
  const rows = ['0', '0.1', '0.1.1', '0.2', '0.10'].map((id) => row(id, id === '0.1.1' ? { status: 'failed' } : {}));
  const all: TreeChoice = { closed: new Set(), filter: '', onlyFailed: false, root: null };
  const ids = (choice: Partial<TreeChoice>): string[] =>
    treeLines(rows, { ...all, ...choice }).map((line) => line.row.id);

  it('opens, closes, and shows one agent with those below it', () => {
    expect(ids({})).toEqual(['0', '0.1', '0.1.1', '0.2', '0.10']);
    expect(ids({ closed: new Set(['0.1']) })).toEqual(['0', '0.1', '0.2', '0.10']);
    expect(ids({ root: '0.1' })).toEqual(['0.1', '0.1.1']);
  });

  it('keeps those above what is looked for, open', () => {
    expect(ids({ filter: 'task of 0.1.1', closed: new Set(['0.1']) })).toEqual(['0', '0.1', '0.1.1']);
    expect(ids({ onlyFailed: true })).toEqual(['0', '0.1', '0.1.1']);
    expect(ids({ filter: 'nothing like it' })).toEqual([]);
  });

  it('leaves out the words with which the tasks of siblings begin, where these are many', () => {
    // One of them stays.
    expect(sharedStart(['Search for locks in package 1', 'Search for locks in package 2'])).toBe(20);
    expect(sharedStart(['Search for locks in sklearn/svm', 'Search for locks in sklearn/tree'])).toBe(17);
    expect(sharedStart(['Search for locks in x', 'Search for locks in x'])).toBe(17);
    expect(sharedStart(['count all in a', 'count all in b'])).toBe(0);
    expect(sharedStart(['Search for locks in package 1'])).toBe(0);
    expect(treeLines(rows, all).map(({ shared }) => shared)).toEqual([0, 0, 0, 0, 0]);
  });

  it('sums up what is below', () => {
    expect([...subtreeSums(rows, ({ usage }) => usage.cost)]).toEqual([
      ['0', 5],
      ['0.1', 2],
      ['0.1.1', 1],
      ['0.2', 1],
      ['0.10', 1],
    ]);
  });
});

it('names sub-agents that failed for the same reason together', () => {
  const errors = new Map([
    ['0.1', 'Error: sub-agent 0.1 did not finish (quota)'],
    ['0.2', 'Error: sub-agent 0.2 did not finish (lost)'],
    ['0.3', 'Error: sub-agent 0.3 did not finish (quota)'],
  ]);
  expect(groupFailures(['0.1', '0.2', '0.3', '0.4'], errors, `it printed ${errors.get('0.2')}`)).toEqual([
    { agents: ['0.1', '0.3'], error: 'Error: sub-agent … did not finish (quota)', isPrinted: false },
    { agents: ['0.2'], error: 'Error: sub-agent 0.2 did not finish (lost)', isPrinted: true },
    { agents: ['0.4'], error: null, isPrinted: false },
  ]);
});

it('shortens a time in which nobody works, and keeps the order', () => {
  const part = (start: number, end: number): AgentTime['parts'][number] => ({
    kind: 'model',
    start,
    end,
    iteration: 1,
  });
  const timeline: AgentTime[] = [{ id: '0', start: 0, end: 1000, parts: [part(0, 10), part(990, 1000)] }];
  const [plain, short] = [timeScale(timeline, false), timeScale(timeline, true)];
  expect(plain.place(10)).toBeCloseTo(0.01);
  expect(short.gaps).toEqual([{ start: 10, end: 990 }]);
  expect(short.place(10)).toBeGreaterThan(0.4);
  const places = [0, 10, 500, 990, 1000].map((time) => short.place(time));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places[0]).toBe(0);
  expect(places.at(-1)).toBeCloseTo(1);
  // Where it continues after a gap is named before round times are; nothing within a gap is.
  expect(timeTicks(plain, 0.2)).toEqual([0, 300, 600, 1000]);
  expect(timeTicks(short, 0.1)).toEqual([0, 5, 990, 995, 1000]);
});

it('names times in two units at most, none of them empty', () => {
  const times = [0.02, 2, 9.94, 9.96, 59.6, 60, 65, 119.7, 3600, 3661, 7230];
  expect(times.map(seconds)).toEqual([
    '20 ms',
    '2 s',
    '9.9 s',
    '10 s',
    '1 min',
    '1 min',
    '1 min 5 s',
    '2 min',
    '1 h',
    '1 h 1 min',
    '2 h',
  ]);
});

it('cuts texts, and finds the rest where it says', () => {
  const value = { list: [{ text: wholeText('x'.repeat(30_000)) }, { text: wholeText('short') }] };
  const cut = shortenTexts(value);
  expect(cut.list[0]?.text).toMatchObject({ length: 30_000, at: 'list.0.text' });
  expect(cut.list[1]).toEqual(value.list[1]);
  expect(textAt(value, 'list.0.text')).toHaveLength(30_000);
  expect(textAt(value, 'list.0.constructor')).toBeUndefined();
  // Never half of a character.
  const emoji = shortenTexts(wholeText('😀'.repeat(20_000))).text;
  expect(emoji.isWellFormed()).toBe(true);
});

it('writes CSV that a spreadsheet takes for no formula', () => {
  expect(
    toCsv([
      { a: 1, b: 'x, "y"' },
      { a: '=1+1', c: [1] },
    ]),
  ).toBe('a,b,c\r\n1,"x, ""y""",\r\n\'=1+1,,[1]\r\n');
  expect(toCsv(['one', 2])).toBe('value\r\none\r\n2\r\n');
});

it('reads what an address shows', () => {
  expect(readRoute('#/runs/a%20b/agents/0.1/3')).toEqual({ page: 'agent', run: 'a b', agent: '0.1', iteration: 3 });
  expect(readRoute('#/runs/todo/costs')).toEqual({ page: 'run', run: 'todo', tab: 'costs' });
  expect(readRoute('')).toEqual({ page: 'runs' });
  expect(readRoute('#/%/x')).toEqual({ page: 'unknown' });
  expect(readRoute('#/runs/todo/what')).toEqual({ page: 'unknown' });
});

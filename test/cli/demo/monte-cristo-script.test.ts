import { expect, it } from 'vitest';
import { chaptersOf } from '../../../src/cli/demo/chapters-of.ts';
import { monteCristoScripts } from '../../../examples/monte-cristo/script.ts';
import { ARCS } from '../../../examples/monte-cristo/arcs.ts';
import { readTask } from '../../../src/cli/demo/scenario.ts';
import { wealthEventsIn, type WealthEvent } from '../../../examples/monte-cristo/wealth-events.ts';
import type { Conversation } from '../../../src/testing/index.ts';
import { analysisOf, type Analysis } from './analysis-harness.ts';
import { smallBook, wholeBook } from './monte-cristo-book.ts';

const BOOK = wholeBook();

it.skipIf(BOOK === undefined)(
  'analyses the novel: every chapter has rows, and the arcs of the characters are those of the story',
  async () => {
    const chapters = chaptersOf(BOOK ?? '');
    const { fields, outputs, batches } = await analyse(chapters);
    const rows = rowsIn(fields);

    expect(outputs[0]).toContain('list of 117 chapters');
    // All batches at once, then the one whose answer was cut off.
    expect(batches.map((prompts) => prompts.length)).toEqual([12, 1]);
    expect(outputs.join('\n')).not.toContain('<error ');
    expect(outputs[3]).toContain('117 of 117 chapters have rows');

    expect(new Set(rows.map(({ chapter }) => chapter)).size).toBe(117);
    expect(rows.every(({ wealth }) => Number.isInteger(wealth) && wealth >= 1 && wealth <= 10)).toBe(true);
    expect(new Set(rows.map(({ character }) => character))).toEqual(new Set(Object.keys(ARCS)));
    const wealthOf = (character: string, from: number, to: number): number[] =>
      rows
        .filter((row) => row.character === character && row.chapter >= from && row.chapter <= to)
        .map(({ wealth }) => wealth);
    expect(Math.max(...wealthOf('Dantès', 8, 17))).toBeLessThanOrEqual(2);
    expect(Math.min(...wealthOf('Dantès', 31, 110))).toBeGreaterThanOrEqual(9);
    expect(Math.min(...wealthOf('Danglars', 46, 53))).toBeGreaterThanOrEqual(8);
    expect(Math.max(...wealthOf('Danglars', 116, 117))).toBeLessThanOrEqual(3);
    expect(Math.max(...wealthOf('Mercédès', 104, 117))).toBeLessThanOrEqual(3);
    expect(wealthOf('Fernand/Morcerf', 93, 117)).toEqual([]);
    expect(Math.max(...wealthOf('Villefort', 111, 117))).toBeLessThanOrEqual(3);
    expect(quotedIn(rows, chapters)).toBeGreaterThan(0.98);
  },
);

it('takes a book of one chapter, and one without', async () => {
  expect(rowsIn((await analyse(chaptersOf(smallBook(1)))).fields)).toMatchObject([{ chapter: 1, character: 'Dantès' }]);
  expect(await analyse([])).toMatchObject({ fields: { wealth_data: [] } });
});

it('asks again for what fails, one by one in the end, and continues without what cannot be had', async () => {
  const failing = (prompt: string): boolean => prompt.includes('=== Chapter 12 ===');
  const answer = (prompt: string): string => (failing(prompt) ? 'Error: the model is away' : answerOf(prompt));
  const { fields, outputs } = await analyse(chaptersOf(smallBook(25)), answer);
  const chapters = rowsIn(fields).map(({ chapter }) => chapter);
  expect(outputs[2]).toContain('Not read: chapters 11 to 20');
  expect(outputs[3]).toContain('Could not be read at all: [12]');
  expect(outputs[3]).toContain('none for chapter 12, which names Dantès');
  expect(chapters).toEqual(Array.from({ length: 25 }, (_, index) => index + 1).filter((number) => number !== 12));
});

it('believes no rows that are not of the form asked for', async () => {
  const rows = [
    { chapter: 1, character: 'Dantès', wealth: 11, event: 'x' },
    { chapter: 1, character: 'Faria', wealth: 3, event: 'x' },
    { chapter: 77, character: 'Dantès', wealth: 3, event: 'x' },
    { chapter: 1, character: 'Dantès', wealth: 3, event: 'x' },
  ];
  const { fields } = await analyse(chaptersOf(smallBook(1)), () => `As you wish:\n${JSON.stringify(rows)}`);
  expect(rowsIn(fields)).toEqual([rows[3]]);
});

it('submits what it has when its code fails', () => {
  expect(replyTo({ opening: 'wealth_data', last: 'x\n<error x>\nNameError', turn: 2 })).toContain(
    'SUBMIT(wealth_data=globals().get("wealth_data", []))',
  );
});

it('does not answer what is not of this analysis', () => {
  expect(replyTo({ opening: 'Make coffee', last: 'Make coffee', turn: 0 })).toBeUndefined();
  expect(replyTo({ opening: 'wealth_data', last: 'Output', turn: 9 })).toBeUndefined();
});

it('tells a character from the family that has its name', () => {
  const characters = (chapter: number, text: string): string[] =>
    wealthEventsIn(chapter, text).map(({ character }) => character);
  expect(characters(60, 'Madame Danglars and Mademoiselle Danglars came, then Albert de Morcerf was rich.')).toEqual(
    [],
  );
  expect(characters(60, 'Valentine de Villefort and Madame de Villefort met Noirtier de Villefort.')).toEqual([]);
  expect(characters(60, 'M. Danglars has lost a million, said Madame de Morcerf.')).toEqual(['Danglars', 'Mercédès']);
  expect(characters(100, 'Morcerf was dead.')).toEqual([]);
});

it('quotes what bears an event out, and says the same every time', () => {
  const text =
    'Chapter 46. Credit\n\nDanglars bowed. It was well known, in all of Paris and beyond, that Danglars had made a\nfortune of\nmany _millions_ in no time. Danglars left.';
  const [event] = wealthEventsIn(46, text);
  expect(event).toEqual({
    chapter: 46,
    character: 'Danglars',
    wealth: 9,
    event:
      'one of the richest bankers of Paris: “It was well known, in all of Paris and beyond, that Danglars had made a fortune of many millions in no time”',
  });
  expect(wealthEventsIn(46, text)).toEqual([event]);
});

type Asked = Pick<Conversation, 'opening' | 'last' | 'turn'>;

/** As the scripted model plays them: the first script that has a reply. */
function replyTo(asked: Asked): unknown {
  const unused = { messages: [], model: 'scripted', headers: {}, hash: '', key: '', askedBefore: 0, answeredBefore: 0 };
  return monteCristoScripts()
    .map(({ reply }) => reply({ ...unused, ...asked }))
    .find((reply) => reply !== undefined);
}

function answerOf(prompt: string): string {
  return textOf(replyTo({ opening: prompt, last: prompt, turn: 0 }));
}

function textOf(reply: unknown): string {
  if (typeof reply !== 'string') throw new Error('no script has a reply');
  return reply;
}

async function analyse(chapters: readonly string[], answer = answerOf): Promise<Analysis> {
  const opening = 'Variables: chapters, task. Output fields: wealth_data';
  const reply = (last: string, turn: number): string => textOf(replyTo({ opening, last, turn }));
  return analysisOf({ chapters, task: readTask('monte-cristo').task }, reply, answer);
}

function rowsIn(fields: Readonly<Record<string, unknown>>): readonly WealthEvent[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the rules make; the tests look at each field
  return fields['wealth_data'] as readonly WealthEvent[];
}

/** Share of the rows whose quotation, word for word, is in their chapter. */
function quotedIn(rows: readonly WealthEvent[], chapters: readonly string[]): number {
  const plain = (text: string): string => text.replaceAll('_', '').replaceAll(/[“”"]/g, '').replaceAll(/\s+/g, ' ');
  const texts = chapters.map(plain);
  const quoted = rows.filter(({ chapter, event }) => {
    const phrase = /“(?:\.\.\. )?(.*?)(?: \.\.\.)?”$/.exec(event)?.[1];
    return phrase !== undefined && texts[chapter - 1]?.includes(phrase) === true;
  });
  return quoted.length / rows.length;
}

import { expect, it } from 'vitest';
import { chaptersOf } from '../../../src/cli/demo/chapters-of.ts';
import { smallBook, wholeBook } from './monte-cristo-book.ts';

const BOOK = wholeBook();

it.skipIf(BOOK === undefined)('gives the 117 chapters of the novel, each whole, and nothing else', () => {
  const chapters = chaptersOf(BOOK ?? '');
  expect(chapters).toHaveLength(117);
  expect(chapters.map((chapter) => /^Chapter (\d+)\. \S/.exec(chapter)?.[1])).toEqual(
    Array.from({ length: 117 }, (_, index) => String(index + 1)),
  );
  expect(chapters.every((chapter) => chapter.length > 7000)).toBe(true);
  expect(chapters[0]).toMatch(/^Chapter 1\. Marseilles—The Arrival\n\nOn the 24th of February, 1815/);
  expect(chapters[26]?.trimEnd()).toMatch(/sum of money, but it is not a fortune\.”$/);
  expect(chapters[116]?.trimEnd()).toMatch(/‘_Wait and hope_ \(Fac et spera\)!’”$/);
  expect(chapters.join('\n')).not.toMatch(/Gutenberg|VOLUME|FOOTNOTES|^Contents$|\d{4,}m\b/m);
});

it('leaves out header, contents, titles of volumes, footnotes and licence', () => {
  expect(chaptersOf(smallBook(2))).toEqual([
    'Chapter 1. Of 1\n\n“Well,” said Dantès, “here is number 1, and we are all rich now.”\n',
    'Chapter 2. Of 2\n\n“Well,” said Dantès, “here is number 2, and we are all rich now.”\n',
  ]);
});

it('reads the line ends of every system, a byte order mark, and Roman numbers', () => {
  const expected = chaptersOf(smallBook(14));
  expect(chaptersOf(`\uFEFF${smallBook(14).replaceAll('\n', '\r\n')}`)).toEqual(expected);
  expect(chaptersOf(smallBook(14).replaceAll('\n', '\r'))).toEqual(expected);
  const roman = ['I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX', 'X', 'XI', 'XII', 'XIII', 'XIV'];
  const text = roman.map((number) => `CHAPTER ${number}.\n\n${'Words of the chapter. '.repeat(3)}\n`).join('\n');
  expect(chaptersOf(text)).toHaveLength(14);
});

it('says so when a text has no chapters, or not all of them', () => {
  expect(() => chaptersOf('')).toThrow('This text has no chapters');
  expect(() => chaptersOf('Call me Ishmael. In this chapter 1 of my life I went to sea.')).toThrow('ebook 1184');
  expect(() => chaptersOf('Chapter 1. One\nChapter 2. Two\n')).toThrow('This text has no chapters');
  const withoutFour = smallBook(9).replace(/^ Chapter 4\..*?(?=^ Chapter 5\.)/ms, '');
  expect(() => chaptersOf(withoutFour)).toThrow(
    'after 3 of them, where chapter 4 should be, there is "Chapter 5. Of 5"',
  );
});

import { CommandError } from '../report-error.ts';

/** A heading as the book has it; its table of contents repeats the same lines. */
const HEADING = /^[ \t]*chapter[ \t]+(\d+|[ivxlc]+)\b[.:]?[^\n]*$/gim;

/** What lies between two chapters and belongs to none: the next volume's title, numbers of illustrations. */
const BETWEEN = /^[ \t]*(VOLUME [A-Z]+|\d+m)[ \t]*$/gm;

/** Characters of text from which on a section is a chapter, not a line of the table of contents. */
const MIN_TEXT = 40;

/**
 * The chapters of a book as Project Gutenberg has it in plain text, each with its heading; without the table of
 * contents, the titles of volumes, footnotes at the end, and the words of Project Gutenberg around it all.
 *
 * @throws CommandError when the text has no chapters, or not all from the first on
 */
export function chaptersOf(text: string): string[] {
  const book = withoutSurroundings(text.replace(/^\uFEFF/, '').replaceAll(/\r\n?/g, '\n'));
  const headings = [...book.matchAll(HEADING)];
  const sections = headings.map((heading, index) => ({
    number: numberOf(heading[1] ?? ''),
    heading: heading[0].trim(),
    body: tidied(book.slice(heading.index + heading[0].length, headings[index + 1]?.index ?? book.length)),
  }));
  const chapters = sections.filter(({ body }) => body.length >= MIN_TEXT);
  if (chapters.length === 0) {
    throw new CommandError(
      'This text has no chapters: none of its lines reads like "Chapter 1. The Arrival" with text below. ' +
        'Give the plain text (UTF-8) of the novel as Project Gutenberg has it, ebook 1184.',
    );
  }
  const gap = chapters.findIndex(({ number }, index) => number !== index + 1);
  if (gap >= 0) {
    throw new CommandError(
      `The chapters of this text are not whole: after ${gap} of them, where chapter ${gap + 1} should be, ` +
        `there is "${chapters[gap]?.heading}". Give the complete plain text of Project Gutenberg's ebook 1184.`,
    );
  }
  return chapters.map(({ heading, body }) => `${heading}\n\n${body}\n`);
}

function withoutSurroundings(text: string): string {
  const start = /^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*$/im.exec(text);
  const from = start === null ? 0 : start.index + start[0].length;
  const end = /^(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|FOOTNOTES:)/im.exec(text.slice(from));
  return end === null ? text.slice(from) : text.slice(from, from + end.index);
}

function tidied(body: string): string {
  return body
    .replaceAll(BETWEEN, '')
    .replaceAll(/\n{4,}/g, '\n\n\n')
    .trim();
}

const ROMAN: Readonly<Record<string, number>> = { i: 1, v: 5, x: 10, l: 50, c: 100 };

function numberOf(digits: string): number {
  if (/^\d+$/.test(digits)) return Number(digits);
  const values = Array.from(digits.toLowerCase()).map((digit) => ROMAN[digit] ?? 0);
  return values.reduce((sum, value, index) => sum + (value < (values[index + 1] ?? 0) ? -value : value), 0);
}

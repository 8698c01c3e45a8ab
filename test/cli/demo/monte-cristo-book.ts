import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BOOK = fileURLToPath(new URL('../../../../shared/data/count-of-monte-cristo.txt', import.meta.url));

/** The whole novel as Project Gutenberg has it; undefined, with the reason printed, where it is not at hand. */
export function wholeBook(): string | undefined {
  if (existsSync(BOOK)) return readFileSync(BOOK, 'utf8');
  console.log('skipped: the novel is not at hand (../shared/data/count-of-monte-cristo.txt)');
  return undefined;
}

/** A book of the same form, with as many chapters as wanted. */
export function smallBook(chapters: number): string {
  const titles = Array.from({ length: chapters }, (_, index) => `Chapter ${index + 1}. Of ${index + 1}`);
  const text = (index: number): string =>
    `“Well,” said Dantès, “here is number ${index + 1}, and we are all rich now.”`;
  return [
    'The Project Gutenberg eBook of Something\n\nChapter 1. Not this one, it is in the header, whatever it says here.',
    '*** START OF THE PROJECT GUTENBERG EBOOK SOMETHING ***\n\nSOMETHING\n\nby Somebody\n\nContents\n\n VOLUME ONE',
    titles.join('\n'),
    '\nVOLUME ONE\n',
    titles
      .map((title, index) => ` ${title}\n\n${text(index)}\n\n0${100 + index}m\n\n\n\nVOLUME TWO\n\n20009m\n`)
      .join('\n'),
    '\nFOOTNOTES:\n\n[1] Chapter and verse.\n',
    '*** END OF THE PROJECT GUTENBERG EBOOK SOMETHING ***\n\nChapter 99. The licence, which is long enough to be one.',
  ].join('\n');
}

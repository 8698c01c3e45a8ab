import { strFromU8, unzipSync } from 'fflate';

/** Cells of one sheet that come as None, although a person sees something in them. */
export interface SheetGaps {
  /** Formulas that no program has computed: libraries write them without a value. */
  readonly uncomputed: number;
  /** `#N/A`, `#DIV/0!` and the like. */
  readonly errors: number;
}

/** Sheets longer than this are not looked at: their text would be too much beside what their reader holds. */
const MAX_SHEET_BYTES = 200 * 1024 * 1024;

const SHEET = /<(?:\w+:)?sheet\b[^<>]*?\br:id="([^"]+)"/g;
const UNCOMPUTED =
  /<(?:\w+:)?c\b([^<>]*)>\s*<(?:\w+:)?f\b(?:[^<>]*\/>|[^<>]*>[^<]*<\/(?:\w+:)?f>)\s*(<(?:\w+:)?v\b[^<>]*>\s*(?:<\/(?:\w+:)?v>\s*)?)?<\/(?:\w+:)?c>/g;
const ERROR = /<(?:\w+:)?c\b[^<>]*\bt="e"/g;

/**
 * What the reader of XLSX gives as None without a word.
 *
 * @param archive - the file
 * @param index - of the sheet, in the order of the workbook
 */
export function findGaps(archive: Uint8Array, index: number): SheetGaps {
  const about = unzipSync(archive, {
    filter: ({ name }) => /^xl\/(?:workbook\.xml|_rels\/workbook\.xml\.rels)$/.test(name),
  });
  const ids = [...textOf(about, 'xl/workbook.xml').matchAll(SHEET)].map(([, id]) => id);
  const target = targetOf(textOf(about, 'xl/_rels/workbook.xml.rels'), ids[index]);
  if (target === undefined) return { uncomputed: 0, errors: 0 };
  const path = target.startsWith('/') ? target.slice(1) : `xl/${target}`;
  const sheet = textOf(
    unzipSync(archive, { filter: ({ name, originalSize }) => name === path && originalSize <= MAX_SHEET_BYTES }),
    path,
  );
  let uncomputed = 0;
  // A formula whose text is empty has a value of its own.
  for (const [, attributes = '', value] of sheet.matchAll(UNCOMPUTED))
    if (value === undefined || !attributes.includes('t="str"')) uncomputed += 1;
  let errors = 0;
  for (const _ of sheet.matchAll(ERROR)) errors += 1;
  return { uncomputed, errors };
}

function textOf(files: Readonly<Record<string, Uint8Array>>, name: string): string {
  const bytes = files[name];
  return bytes === undefined ? '' : strFromU8(bytes);
}

/** Of a list of relations, the file that one leads to. */
function targetOf(relations: string, id: string | undefined): string | undefined {
  return [...relations.matchAll(/<(?:\w+:)?Relationship\b[^>]*>/g)]
    .map(([tag]) => tag)
    .filter((tag) => id !== undefined && /\bId="([^"]+)"/.exec(tag)?.[1] === id)
    .map((tag) => /\bTarget="([^"]+)"/.exec(tag)?.[1])[0];
}

/** What to do about them, a line each. */
export function describeGaps(gaps: readonly SheetGaps[]): readonly string[] {
  const uncomputed = gaps.reduce((sum, each) => sum + each.uncomputed, 0);
  const errors = gaps.reduce((sum, each) => sum + each.errors, 0);
  const cells = (count: number, one: string, several: string): string =>
    count === 1 ? `1 cell ${one}` : `${count} cells ${several}`;
  return [
    ...(uncomputed === 0
      ? []
      : [
          `${cells(uncomputed, 'holds a formula that was never computed, and is', 'hold formulas that were never computed, and are')} None: ` +
            'open the file in Excel or LibreOffice and save it',
        ]),
    ...(errors === 0
      ? []
      : [`${cells(errors, 'holds an error such as #N/A, and is', 'hold errors such as #N/A, and are')} None`]),
  ];
}

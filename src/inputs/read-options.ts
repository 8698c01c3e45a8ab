import { invalid } from './invalid.ts';

/** What is said of files beside their path. */
export interface ReadOptions {
  /** Of text without a byte order mark, `windows-1252`. Default: UTF-8. */
  readonly encoding?: string;
  /** Between the values of CSV, `;` or `tab`. Default: what divides the rows most evenly. */
  readonly delimiter?: string;
  /** Around values of CSV that hold a delimiter. Default: `"`, or `'` where that is what divides the rows evenly. */
  readonly quote?: string;
  /** What makes a quote in quotes one of the text, `\\`. Default: the quote itself. */
  readonly escape?: string;
  /** Of XLSX, by name or by number from 1. Default: the first. */
  readonly sheet?: string;
}

const NAMES = ['encoding', 'delimiter', 'quote', 'escape', 'sheet'];
const OPTION = /;(encoding|delimiter|quote|escape|sheet)=((?:;$|;(?=;)|[^;])+)$/;

/** `rows.csv;encoding=latin1;delimiter=;` as its path and what follows. */
export function splitOptions(typed: string): { readonly path: string; readonly options: ReadOptions } {
  let path = typed;
  let options: ReadOptions = {};
  for (let found = OPTION.exec(path); found !== null; found = OPTION.exec(path)) {
    const [all, name = '', value = ''] = found;
    options = { ...options, [name]: value };
    path = path.slice(0, -all.length);
  }
  const unknown = /;([a-z_]+)=[^;/]*$/.exec(path)?.[1];
  if (unknown !== undefined)
    throw invalid(`there is no option ${unknown} of a file (${typed}); the options are ${NAMES.join(', ')}`);
  return { path, options: checkedOptions(options) };
}

/** @throws TypedError `Input.Invalid` */
export function checkedOptions(options: ReadOptions): ReadOptions {
  const { delimiter, quote, escape } = options;
  for (const [name, mark] of Object.entries({ quote, escape })) {
    if (mark !== undefined && mark.length !== 1)
      throw invalid(`the ${name} of CSV is one character, not ${JSON.stringify(mark)}`);
  }
  if (delimiter === undefined) return options;
  const mark = /^(?:tab|\\t)$/i.test(delimiter) ? '\t' : delimiter;
  if (/^[^"'\r\n]$/u.test(mark)) return { ...options, delimiter: mark };
  throw invalid(`the delimiter of CSV is one character, such as ; or | or tab, not ${JSON.stringify(delimiter)}`);
}

/** A line of the table. */
export interface Row {
  readonly name: string;
  readonly result: string;
  readonly seconds: number;
  /** MB of resident memory. */
  readonly worker: string;
  readonly server: string;
  /** Of the root agent. */
  readonly histories: string;
  readonly more: string;
}

const HEAD = [
  '| run | result | took | worker, MB in each fifth of the way, peak | server, MB, the same | histories of the root agent | besides |',
  '| --- | --- | --- | --- | --- | --- | --- |',
];
const BEGIN = '<!-- marathon: written by npm run marathon -- --write -->';
const END = '<!-- end of marathon -->';

export function renderRow({ name, result, seconds, worker, server, histories, more }: Row): string {
  return `| ${[name, result, inWords(seconds), worker, server, histories, more].join(' | ')} |`;
}

export function renderTable(rows: readonly Row[]): string {
  return [...HEAD, ...rows.map(renderRow)].join('\n');
}

/** Rows with the same first column are replaced, others stay: scenarios can be written one at a time. */
export function withRows(document: string, rows: readonly Row[], facts: string): string {
  const [before, rest] = split(document, BEGIN);
  const [written, after] = split(rest, END);
  const key = (line: string): string => line.split(' | ')[0] ?? '';
  const kept = written.split('\n').filter((line) => line.startsWith('| ') && !/^\| (run|---) /.test(line));
  const lines = new Map([...kept, ...rows.map(renderRow)].map((line) => [key(line), line]));
  return `${before}${BEGIN}\n\n${facts}\n\n${[...HEAD, ...lines.values()].join('\n')}\n\n${END}${after}`;
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`the document has no place for the table of npm run marathon: ${mark}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

function inWords(seconds: number): string {
  return seconds < 120 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} min`;
}

/** A text in quotes longer than this is not kept as a whole. */
const LONGEST = 64 * 1024 * 1024;

type State = 'record' | 'field' | 'plain' | 'quoted' | 'quote' | 'return';

/**
 * The rows of a CSV text as it arrives, as Python's strict reader has them: commas, double quotes, doubled inside. A row
 * without anything in it is none.
 */
export class CsvRows {
  readonly #row: (values: readonly string[], line: number) => void;
  readonly #fault: (what: string, line: number) => never;
  #state: State = 'record';
  #values: string[] = [];
  #parts: string[] = [];
  #length = 0;
  #line = 1;

  constructor(row: (values: readonly string[], line: number) => void, fault: (what: string, line: number) => never) {
    this.#row = row;
    this.#fault = fault;
  }

  take(text: string): void {
    for (let index = 0; index < text.length;) index = this.#step(text, index);
  }

  end(): void {
    if (this.#state === 'quoted') this.#fault('a quote is never closed', this.#line);
    if (this.#state === 'record') return;
    if (this.#state !== 'return') this.#finishField();
    this.#finishRow();
  }

  /** Reads on from `index`; where to go on. */
  #step(text: string, index: number): number {
    if (this.#state === 'quoted') return this.#quoted(text, index);
    const character = text[index];
    if (this.#state === 'return') return this.#afterReturn(character, index);
    if (this.#state === 'plain') return this.#plain(text, index);
    const isStart = this.#state !== 'quote';
    if (character === '"') {
      if (!isStart) this.#keep('"');
      this.#state = 'quoted';
    } else if (character === ',') {
      this.#finishField();
      this.#state = 'field';
    } else if (character === '\n' || character === '\r') {
      if (this.#state !== 'record') this.#finishField();
      this.#endOfLine(character);
    } else if (isStart) {
      this.#state = 'plain';
      return index;
    } else {
      this.#fault(`',' expected after '"'`, this.#line);
    }
    return index + 1;
  }

  #plain(text: string, index: number): number {
    const mark = /[,\r\n]/g;
    mark.lastIndex = index;
    const end = mark.exec(text)?.index ?? text.length;
    this.#keep(text.slice(index, end));
    // Whatever ends it is read as after a quote: a quote itself does not.
    if (end < text.length) this.#state = 'quote';
    return end;
  }

  #quoted(text: string, index: number): number {
    const end = text.indexOf('"', index);
    const part = text.slice(index, end === -1 ? undefined : end);
    this.#keep(part);
    this.#line += part.split('\n').length - 1;
    if (end === -1) return text.length;
    this.#state = 'quote';
    return end + 1;
  }

  #afterReturn(character: string | undefined, index: number): number {
    if (character !== '\n' && character !== '\r')
      this.#fault('a carriage return stands in the middle of a line', this.#line);
    if (character === '\n') this.#finishRow();
    return index + 1;
  }

  #endOfLine(character: string): void {
    if (character === '\n') this.#finishRow();
    else this.#state = 'return';
  }

  #keep(part: string): void {
    this.#length += part.length;
    if (this.#length <= LONGEST) this.#parts.push(part);
  }

  #finishField(): void {
    this.#values.push(this.#parts.join(''));
    this.#parts = [];
    this.#length = 0;
  }

  #finishRow(): void {
    const values = this.#values;
    this.#values = [];
    this.#state = 'record';
    this.#row(values, this.#line);
    this.#line += 1;
  }
}

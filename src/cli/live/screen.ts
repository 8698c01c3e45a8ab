import { stripVTControlCharacters } from 'node:util';
import { displayWidth } from './text.ts';

/** The part of a terminal's stream that drawing needs. */
export interface TerminalStream {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

/** How wide to print; a terminal that does not know its size says 0. @param otherwise - where there is no terminal */
export function columnsOf(stream: { readonly isTTY?: boolean; readonly columns?: number }, otherwise: number): number {
  return stream.isTTY === true ? stream.columns || COLUMNS : otherwise;
}

const COLUMNS = 80;
const ROWS = 24;

/** Lines at the bottom of a terminal that are drawn over and over, and text that scrolls by above them. */
export interface Screen {
  draw(lines: readonly string[]): void;
  /** Prints above the lines; they come back with the next `draw`. */
  print(text: string): void;
  /** Leaves the lines where they are. */
  close(): void;
  size(): { columns: number; rows: number };
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
/** Terminals that know these show a frame at once; others ignore them. */
const BEGIN_FRAME = '\u001b[?2026h';
const END_FRAME = '\u001b[?2026l';
const TO_END_OF_LINE = '\u001b[K';
const TO_END_OF_SCREEN = '\u001b[J';

/** One write a frame, each line overwritten in place and never erased before: nothing to flicker. */
export function createScreen(stream: TerminalStream): Screen {
  let drawn: readonly string[] = [];
  let drawnColumns = 0;
  let hidden = false;

  const size = (): { columns: number; rows: number } => ({
    columns: Math.max(10, stream.columns || COLUMNS),
    rows: Math.max(3, stream.rows || ROWS),
  });

  /** To the first column of the first line drawn. */
  function toTop(): string {
    const { columns, rows } = size();
    if (drawn.length === 0) return '\r';
    // In a window made narrower the terminal has wrapped the lines that no longer fit.
    const height =
      columns >= drawnColumns
        ? drawn.length
        : drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
    const up = Math.min(height, rows - 1);
    return `\r\u001b[${up}A`;
  }

  return {
    size,
    draw(lines) {
      const { columns, rows } = size();
      const visible = lines.slice(0, rows - 1);
      const body = visible.map((line) => `${line}${TO_END_OF_LINE}\n`).join('');
      const cursor = hidden ? '' : HIDE_CURSOR;
      hidden = true;
      stream.write(`${BEGIN_FRAME}${cursor}${toTop()}${body}${TO_END_OF_SCREEN}${END_FRAME}`);
      drawn = visible;
      drawnColumns = columns;
    },
    print(text) {
      // Some terminals keep what is erased from their top line on, as if it had scrolled by: overwrite, do not erase.
      const body = [...text.split('\n'), ...drawn].map((line) => `${line}${TO_END_OF_LINE}\n`).join('');
      stream.write(`${BEGIN_FRAME}${toTop()}${body}${TO_END_OF_SCREEN}${END_FRAME}`);
    },
    close() {
      if (hidden) stream.write(SHOW_CURSOR);
      hidden = false;
      drawn = [];
    },
  };
}

function widthOf(line: string): number {
  return displayWidth(stripVTControlCharacters(line));
}

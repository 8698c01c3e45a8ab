import { describe, expect, it } from 'vitest';
import { columnsOf, createScreen } from '../../../src/cli/live/screen.ts';

// An escape sequence, or a character.
const TOKENS = new RegExp(String.raw`\u001b\[\??[\d;]*[A-Za-z]|[\s\S]`, 'gu');

/** A terminal of a few lines that knows the sequences a screen writes, and wraps as terminals do. */
function createTerminal(columns: number, rows: number) {
  let lines: string[] = [''];
  let [row, column] = [0, 0];
  let cursor = true;
  const terminal = {
    columns,
    rows,
    write(text: string): void {
      for (const [token] of text.matchAll(TOKENS)) apply(token);
    },
    resize(next: { columns: number }): void {
      // Terminals wrap lines again that have become too long, and the cursor stays with its line.
      const wrapped = lines.flatMap((line) => line.match(new RegExp(`.{1,${next.columns}}`, 'gu')) ?? ['']);
      row += wrapped.length - lines.length;
      lines = wrapped;
      terminal.columns = next.columns;
    },
    text: (): string => lines.join('\n').trimEnd(),
    get cursor(): boolean {
      return cursor;
    },
  };
  function apply(token: string): void {
    if (token === '\n') {
      row += 1;
      column = 0;
      lines[row] ??= '';
    } else if (token === '\r') column = 0;
    else if (token.startsWith('\u001b')) control(token);
    else {
      const line = (lines[row] ?? '').padEnd(column);
      lines[row] = line.slice(0, column) + token + line.slice(column + 1);
      column += 1;
    }
  }
  function control(token: string): void {
    if (token.endsWith('A')) row = Math.max(0, row - Number(token.slice(2, -1)));
    else if (token === '\u001b[K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (token === '\u001b[J') {
      lines[row] = (lines[row] ?? '').slice(0, column);
      lines.length = row + 1;
    } else if (token === '\u001b[?25l') cursor = false;
    else if (token === '\u001b[?25h') cursor = true;
  }
  return terminal;
}

describe('the screen', () => {
  it('draws over what it drew before, with more and with fewer lines', () => {
    const terminal = createTerminal(40, 10);
    const screen = createScreen(terminal);
    screen.draw(['one', 'two']);
    screen.draw(['three', 'four', 'five']);
    screen.draw(['six']);
    expect(terminal.text()).toBe('six');
  });

  it('takes a terminal that does not know its size for one of 80 columns and 24 lines', () => {
    expect(createScreen(createTerminal(0, 0)).size()).toEqual({ columns: 80, rows: 24 });
    expect(columnsOf({ isTTY: true, columns: 0 }, 120)).toBe(80);
    expect(columnsOf({ isTTY: true, columns: 200 }, 120)).toBe(200);
    expect(columnsOf({}, 120)).toBe(120);
  });

  it('prints above the lines', () => {
    const terminal = createTerminal(40, 10);
    const screen = createScreen(terminal);
    screen.draw(['tree', 'of agents']);
    screen.print('a warning');
    expect(terminal.text()).toBe('a warning\ntree\nof agents');
    screen.draw(['tree']);
    expect(terminal.text()).toBe('a warning\ntree');
  });

  it('leaves nothing of the old frame behind when the window becomes narrower', () => {
    const terminal = createTerminal(40, 20);
    const screen = createScreen(terminal);
    screen.print('before');
    screen.draw(['a line of thirty-one characters', 'short']);
    terminal.resize({ columns: 10 });
    screen.draw(['narrow']);
    expect(terminal.text()).toBe('before\nnarrow');
  });

  it('never draws as many lines as the window has, which would scroll', () => {
    const terminal = createTerminal(40, 4);
    const screen = createScreen(terminal);
    screen.draw(['1', '2', '3', '4', '5']);
    expect(terminal.text()).toBe('1\n2\n3');
  });

  it('hides the cursor while it draws and gives it back', () => {
    const terminal = createTerminal(40, 10);
    const screen = createScreen(terminal);
    expect(terminal.cursor).toBe(true);
    screen.draw(['x']);
    expect(terminal.cursor).toBe(false);
    screen.close();
    expect(terminal.cursor).toBe(true);
    expect(terminal.text()).toBe('x');
  });
});

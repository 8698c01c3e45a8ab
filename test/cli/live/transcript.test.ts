import { expect, it } from 'vitest';
import { createTranscript } from '../../../src/cli/live/transcript.ts';
import type { ChainRecord } from '../../../src/domain/records.ts';
import { NO_USAGE } from '../../../src/domain/usage.ts';

const common = { v: 1, parent: 'p', model: 'm', usage: NO_USAGE, execution_time: 1 } as const;
const reply = (iteration: number, text: string): ChainRecord => ({
  ...common,
  kind: 'reply',
  iteration,
  purpose: 'turn',
  text,
  finish_reason: 'stop',
  request: { messages: 1, characters: 1, last: '' },
});
const block = (iteration: number, stdout: string, error: string | null = null): ChainRecord => ({
  ...common,
  kind: 'block',
  iteration,
  block: iteration,
  index: 0,
  code: 'x',
  result: {
    status: error === null ? 'ok' : 'error',
    stdout,
    stderr: '',
    stdout_length: stdout.length,
    stderr_length: 0,
    error,
    final: null,
    execution_time: 0,
  },
  spawned: [],
  calls: [],
});

it('tells each turn once: what was thought, written and printed', () => {
  const lines: string[] = [];
  const transcript = createTranscript('0', (line) => lines.push(line));
  const first = [reply(1, 'I look first.\n```python\nx = 1\nprint(x)\n```'), block(1, '1\n')];
  transcript.tell(first);
  transcript.tell(first);
  transcript.tell([...first, reply(2, '```python\n1/0\n```'), block(2, '', 'ZeroDivisionError: \u001b[31mno')]);
  expect(lines).toEqual([
    '── agent 0, iteration 1',
    'I look first.',
    '  │ x = 1',
    '  │ print(x)',
    '  ▸ 1',
    '── agent 0, iteration 2',
    '  │ 1/0',
    expect.stringMatching(/^ {2}▸ ZeroDivisionError: .*no$/),
  ]);
  expect(lines.join('')).not.toContain('\u001b');
});

it('says of code that did not run that it did not', () => {
  const lines: string[] = [];
  const cut = { ...reply(1, '```python\nremove()\n```'), finish_reason: 'length' } as ChainRecord;
  createTranscript('0', (line) => lines.push(line)).tell([cut]);
  expect(lines).toEqual([
    '── agent 0, iteration 1',
    '```python',
    'remove()',
    '```',
    '  (The reply was cut off at the length limit, so nothing of it was run.)',
  ]);
});

it('cuts what is long, and says how much', () => {
  const lines: string[] = [];
  createTranscript('0', (line) => lines.push(line)).tell([block(1, 'line\n'.repeat(100))]);
  expect(lines).toHaveLength(30);
  expect(lines.at(-1)).toBe('  ▸ … 71 more lines');
});

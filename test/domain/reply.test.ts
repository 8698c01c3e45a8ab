import { describe, expect, it } from 'vitest';
import { codeBlocks, proseOf } from '../../src/domain/reply.ts';

describe('the code of a reply', () => {
  const cases: [name: string, reply: string, code: string[]][] = [
    ['one block', 'Look:\n```python\nprint(1)\n```\nDone.', ['print(1)\n']],
    [
      'py, repl, python3 and Python in any case',
      '```py\na\n```\n```repl\nb\n```\n```python3\nc\n```\n```Python\nd\n```',
      ['a\n', 'b\n', 'c\n', 'd\n'],
    ],
    ['other languages are text', '```bash\nrm -rf /\n```\n```\nplain\n```\n```json\n{}\n```', []],
    [
      'a fence inside a longer fence',
      '````python\ns = """\n```python\nx\n```\n"""\n````',
      ['s = """\n```python\nx\n```\n"""\n'],
    ],
    ['tildes', '~~~python\nx\n~~~', ['x\n']],
    ['never closed: to the end', '```python\nx = 1\ny = 2', ['x = 1\ny = 2\n']],
    ['empty blocks are none', '```python\n\n   \n```', []],
    ['carriage returns', '```python\r\nx\r\n```\r\n', ['x\n']],
    ['indented under a list item', '1. first\n   ```python\n   if x:\n       y()\n   ```', ['if x:\n    y()\n']],
    ['words after the language', '```python title="a.py"\nx\n```', ['x\n']],
    ['no code', 'FINAL("in text") does not count', []],
  ];
  it.each(cases)('%s', (_name, reply, code) => {
    expect(codeBlocks(reply)).toEqual(code);
  });

  it('takes linear time on a hostile reply', () => {
    expect(codeBlocks('`'.repeat(200_000))).toEqual([]);
    expect(codeBlocks('```python\n'.repeat(20_000))).toHaveLength(1);
  });
});

describe('the prose of a reply', () => {
  it('is what stands around its code, other fences included', () => {
    expect(proseOf('Before.\n```python\nx\n```\nAfter.\n```json\n{}\n```')).toBe('Before.\nAfter.\n{}');
    expect(proseOf('```python\nx\n```')).toBe('');
  });
});

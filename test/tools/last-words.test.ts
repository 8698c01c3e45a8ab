import { expect, it } from 'vitest';
import { lastWords } from '../../src/tools/mcp/last-words.ts';

it('of a program that ends with a stack, the line with the error', () => {
  const node = [
    'listening',
    'file:///server.js:3',
    "throw new Error('set DOCS_KEY');",
    '      ^',
    '',
    'Error: set DOCS_KEY',
    ...Array.from(
      { length: 40 },
      (_, index) => `    at step${index} (node:internal/modules/some/long/path:${index}:5)`,
    ),
    '',
    'Node.js v24.0.0',
    '',
  ].join('\n');
  expect(lastWords(node)).toBe('Error: set DOCS_KEY');
  expect(lastWords(node.replaceAll('Error: set', 'TypeError [ERR_ARG]: set'))).toBe(
    'TypeError [ERR_ARG]: set DOCS_KEY',
  );
  const python =
    'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f()\nKeyError: \'DOCS_KEY\'\n';
  expect(lastWords(python)).toBe("KeyError: 'DOCS_KEY'");
});

it('else all of it, or its end', () => {
  expect(lastWords('ready\n  out of luck\n')).toBe('ready | out of luck');
  expect(lastWords('Error: no stack\nbye')).toBe('Error: no stack | bye');
  expect(lastWords('x'.repeat(5000))).toHaveLength(1000);
  expect(lastWords('')).toBe('');
});

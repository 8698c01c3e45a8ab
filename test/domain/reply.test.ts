import { describe, expect, it } from 'vitest';
import { sized } from '../sizes.ts';
import { codeBlocks, parseReply, proseOf, replyOutcome, splitReasoning } from '../../src/domain/reply.ts';

const X = 'SUBMIT(answer="x")';

describe('the code of a reply', () => {
  const cases: [name: string, reply: string, code: string[]][] = [
    ['one block', 'Look:\n```python\nprint(1)\n```\nDone.', ['print(1)\n']],
    ['several', '```py\na\n```\ntext\n```py\nb\n```', ['a\n', 'b\n']],
    ['no code', 'Just text.', []],
    ['nothing', '', []],
    ['empty blocks are none', '```python\n\n   \n```', []],

    // Languages
    ...[
      'python',
      'py',
      'python3',
      'Python',
      'PY',
      'repl',
      'tool_code',
      'ipython',
      '{python}',
      '{.python}',
      ' python',
    ].map((language): [string, string, string[]] => [
      `\`\`\`${language}`,
      `\`\`\`${language}\n${X}\n\`\`\``,
      [`${X}\n`],
    ]),
    ['other languages are text', '```bash\nrm -rf /\n```\n```\nplain\n```\n```json\n{}\n```', []],
    ['names that only begin alike', '```pythonista\nx\n```\n```pycon\n>>> x\n```', []],
    ['words after the language', '```python title="a.py"\nx\n```', ['x\n']],
    ['a byte order mark', `\uFEFF\`\`\`python\n${X}\n\`\`\``, [`${X}\n`]],
    ['a byte order mark behind a line', `Here:\n\uFEFF\`\`\`python\n${X}\n\`\`\``, [`${X}\n`]],

    // Where a fence stands
    ['tildes', '~~~python\nx = ~~~1\n~~~', ['x = ~~~1\n']],
    ['carriage returns', '```python\r\nx\r\ny\r\n```\r\n', ['x\ny\n']],
    ['indented under a list item', '1. first\n   ```python\n   if x:\n       y()\n   ```', ['if x:\n    y()\n']],
    ['in the line of a list item', '- ```python\n  if x:\n      y()\n  ```\n', ['if x:\n    y()\n']],
    ['a numbered one', '12. ```python\n    x\n    ```\n', ['x\n']],
    ['code that is indented as a whole', '```python\n    x = 1\n    y = 2\n```', ['x = 1\ny = 2\n']],
    ['indented code, its string not', '  ```python\n  s = """\nend"""\n  y\n  ```', ['s = """\nend"""\ny\n']],
    ['behind prose on its line', `Here it is: \`\`\`python\n${X}\n\`\`\``, [`${X}\n`]],
    ['behind prose with code in it', `As \`x\` is there: \`\`\`py\n${X}\n\`\`\``, [`${X}\n`]],
    ['spoken of in prose', 'I write a ```python block now.\nSee?', []],
    ['on one line', `\`\`\`python ${X}\`\`\`\nDone.`, [`${X}\n`]],
    ['never closed: to the end', '```python\nx = 1\ny = 2', ['x = 1\ny = 2\n']],
    ['the next one opened before it was closed', '```python\nx\n```python\ny\n```', ['x\n', 'y\n']],
    ['followed by one of another language', '```python\nx\n```bash\nmake\n```\n```python\ny\n```', ['x\n', 'y\n']],

    // How it is closed
    ['at the end of a line of code', `\`\`\`python\n${X}\`\`\``, [`${X}\n`]],
    ['at the end of a comment', "```python\nx = 1  # it's one```\nDone.", ["x = 1  # it's one\n"]],
    ['prose behind the fence', '```python\nx\n``` That was it.\n', ['x\n']],
    ['with more backticks', '```python\nx\n`````\ntext', ['x\n']],
    ...['<end_code>', '<end_action>', '</s>', '<|im_end|>', '<eos>', ' <end_code></s>', '</code>'].map(
      (marker): [string, string, string[]] => [
        `followed by ${marker}`,
        `\`\`\`python\n${X}\n\`\`\`${marker}`,
        [`${X}\n`],
      ],
    ),
    ['a marker behind a fence behind code', `\`\`\`python\n${X}\`\`\`<end_code>\n`, [`${X}\n`]],
    ['a marker in the place of the fence', `\`\`\`python\n${X}\n<end_code>`, [`${X}\n`]],
    ['a marker that is content', '```python\nx = "</s>"\n```', ['x = "</s>"\n']],

    // Fences in strings
    [
      'in a triple-quoted string',
      '```python\nreadme = """# Title\n```bash\nmake\n```\nend"""\ny\n```',
      ['readme = """# Title\n```bash\nmake\n```\nend"""\ny\n'],
    ],
    ['in one of apostrophes', "```python\ns = '''\n```\n'''\n```\nThat's it.", ["s = '''\n```\n'''\n"]],
    ['in a string of a line', '```python\ns = "a ``` b"\n```\nx', ['s = "a ``` b"\n']],
    ['behind an escaped quote', '```python\ns = """a \\""" \n```\n"""\nx\n```', ['s = """a \\""" \n```\n"""\nx\n']],
    ['quotes in comments open nothing', '```python\n# it\'s """ here\nx\n```\ntext', ['# it\'s """ here\nx\n']],
    ['an apostrophe that is never closed ends with its line', "```python\nx = 'a\n```\ntext", ["x = 'a\n"]],
    [
      'two strings, both with fences',
      '```python\na = """\n```\n"""\nb = """\n```py\n"""\n```\n```python\nc\n```',
      ['a = """\n```\n"""\nb = """\n```py\n"""\n', 'c\n'],
    ],
    ['a string that is never closed: the first fence wins', '```python\nx = """a\n```\nText.\n', ['x = """a\n']],
    ['the same, twice', "```python\nx = '''a\n```\nText.\n```python\ny = 1\n```", ["x = '''a\n", 'y = 1\n']],
    [
      'a fence inside a longer fence',
      '````python\ns = """\n```python\nx\n```\n"""\n````',
      ['s = """\n```python\nx\n```\n"""\n'],
    ],
    ['Python in a fence of text is text', '```markdown\n# How\n```python\nx\n```\n', []],
  ];
  it.each(cases)('%s', (_name, reply, code) => {
    expect(codeBlocks(reply)).toEqual(code);
  });
});

describe('the reasoning of a reply', () => {
  const cases: [name: string, reply: string, reasoning: string, text: string][] = [
    ['none', 'Hello.', '', 'Hello.'],
    ['think', '<think>\nMaybe\n</think>\nNow.', 'Maybe', 'Now.'],
    ['thinking, in capitals, after a blank line', '\n <THINKING>a</THINKING>b', 'a', 'b'],
    ['two in a row', '<think>a</think>\n<think>b</think>c', 'a\n\nb', 'c'],
    ['an empty one', '<think>\n\n</think>\n\nx', '', 'x'],
    ['code in it', '<think>\n```python\n1\n```\n</think>\n```python\n2\n```', '```python\n1\n```', '```python\n2\n```'],
    ['never closed', '<think>\n```python\n1\n```', '```python\n1\n```', ''],
    ['a closing tag only', 'thoughts\n```python\n1\n```\n</think>\nx', 'thoughts\n```python\n1\n```', 'x'],
    ['one at the end of a line', 'I will say x.</think>\n\nx', 'I will say x.', 'x'],
    ['one at the beginning of a line', 'thoughts\n</thinking>x', 'thoughts', 'x'],
    ['one behind code that was not closed', 'Try\n```python\nfoo(\n</think>\nx', 'Try\n```python\nfoo(', 'x'],
    ['tags that are content', 'The tag <think> opens, </think> closes.', '', 'The tag <think> opens, </think> closes.'],
    ['a closing tag in the middle of a line', 'A </think> closes it.', '', 'A </think> closes it.'],
    ['a closing tag in code', '```python\ns = "</think>"\n```', '', '```python\ns = "</think>"\n```'],
    ['one in a long string', '```python\ns = """\n</think>\n"""\n```', '', '```python\ns = """\n</think>\n"""\n```'],
    ['one in another fence', '```html\n</think>\n```', '', '```html\n</think>\n```'],
    ['one in quotes at the end of a line', 'It ends with "</think>\nSo.', '', 'It ends with "</think>\nSo.'],
    [
      'tags in code',
      `\`\`\`python\nx = "<think> a </think>"\n\`\`\``,
      '',
      `\`\`\`python\nx = "<think> a </think>"\n\`\`\``,
    ],
  ];
  it.each(cases)('%s', (_name, reply, reasoning, text) => {
    expect(splitReasoning(reply)).toEqual({ reasoning, text });
  });

  it('is no code', () => {
    expect(parseReply('<think>\n```python\n1\n```\n</think>\nNow:\n```python\n2\n```')).toMatchObject({
      reasoning: '```python\n1\n```',
      blocks: ['2\n'],
      prose: 'Now:',
    });
  });
});

describe('FINAL in text', () => {
  const asText = (inner: string, { text = inner, notPython = 'SyntaxError' } = {}): string =>
    `# Written as text: what is not Python is the answer as it stands.\ntry:\n    exec('FINAL(${inner})')\nexcept ${notPython}:\n    FINAL('${text}')\n`;
  const prose = { notPython: '(SyntaxError, NameError)' };
  const cases: [name: string, reply: string, code: string[]][] = [
    ['a sentence', 'FINAL(The answer is 42)', [asText('The answer is 42', prose)]],
    ['words that happen to be Python', 'FINAL(That is right)', [asText('That is right', prose)]],
    ['between other lines', 'I am done.\n\nFINAL(42)\n\nThat is all.', [asText('42')]],
    ['in bold type', '**FINAL(42)**', [asText('42')]],
    ['as code in a line', '`FINAL(42)`.', [asText('42')]],
    ['in a fence of its own', '```\nFINAL(42)\n```', [asText('42')]],
    ['in quotes', 'FINAL("He said "no")', [asText('"He said "no"', { text: 'He said "no' })]],
    ['parentheses in it', 'FINAL(42 (forty-two))\n(See above.)', [asText('42 (forty-two)')]],
    ['several lines', 'FINAL(one\ntwo (2)\nthree)\nEnd (really)', [asText('one\\ntwo (2)\\nthree')]],
    ['a smiley in it', 'FINAL(fine :))', [asText('fine :)')]],
    ['a variable', 'FINAL_VAR(result)', ["FINAL_VAR('result')\n"]],
    ['a variable in quotes', 'FINAL_VAR("result")', ["FINAL_VAR('result')\n"]],
    ['an expression', 'FINAL_VAR(results[0])', [asText('results[0]')]],
    ['SUBMIT', 'SUBMIT(answer=1)', ['SUBMIT(answer=1)\n']],
    ['behind code', '```repl\nx = 1\n```\nFINAL_VAR(x)', ['x = 1\n', "FINAL_VAR('x')\n"]],
    ['before code', 'FINAL(1)\n```repl\nx = 1\n```', ['x = 1\n']],
    ['never closed', 'FINAL(1', []],
    ['spoken of', 'I will end with FINAL(x) later, or\nFINAL(...)\n', []],
    ['in a fence of text', '```json\nFINAL(1)\n```', []],
    ['as a word', 'FINALLY(1)\nFINAL (1)', []],
  ];
  it.each(cases)('%s', (_name, reply, code) => {
    expect(codeBlocks(reply)).toEqual(code);
  });
});

describe('a tool call that was not offered', () => {
  const calls = [
    '<tool_call>{"name": "python", "arguments": {"code": "1+1"}}</tool_call>',
    'Let me see.\n<tool_call>\n{"name": "python"}',
    '<function_call>python(1)</function_call>',
    '<function=python>1</function>',
    '<function_calls>\n<invoke name="python">',
    '<|tool_call|>[{"name": "x"}]',
    '[TOOL_CALLS] [{"name": "x"}]',
    '{"name": "python", "arguments": {"code": "1+1"}}',
    '{\n  "tool": "python",\n  "input": "1+1"\n}',
    '[{"name": "python", "parameters": {}}]',
    '```json\n{"action": "run", "action_input": "x"}\n```',
    '```tool_call\npython(1)\n```',
    '{"tool_calls": [{"function": {"name": "x"}}]}',
  ];
  it.each(calls)('%s', (reply) => {
    expect(parseReply(reply)).toMatchObject({ isToolCall: true, blocks: [] });
  });

  const others = [
    '{"name": "Bob", "age": 3}',
    'The tag `<tool_call>` is used by some models.',
    '```json\n{"n": 3}\n```',
    '<tool_call>x</tool_call>\n```python\n1\n```',
    '{"name": broken',
  ];
  it.each(others)('not: %s', (reply) => {
    expect(parseReply(reply).isToolCall).toBe(false);
  });
});

describe('what becomes of a reply', () => {
  const cases: [text: string, finish_reason: string, outcome: object][] = [
    ['```python\n1\n```', 'stop', { kind: 'code', blocks: ['1\n'] }],
    ['```python\n1\n```', 'length', { kind: 'truncated' }],
    ['I am sorry', 'content_filter', { kind: 'withheld' }],
    ['<tool_call>', 'other', { kind: 'tool_call' }],
    [' Seven. ', 'stop', { kind: 'text', text: 'Seven.' }],
    ['', 'stop', { kind: 'text', text: '' }],
  ];
  it.each(cases)('%j, %s', (text, finish_reason, outcome) => {
    expect(replyOutcome({ text, finish_reason })).toEqual(outcome);
  });
});

describe('the prose of a reply', () => {
  it('is what stands around its code, other fences included', () => {
    expect(proseOf('Before.\n```python\nx\n```\nAfter.\n```json\n{}\n```')).toBe('Before.\nAfter.\n{}');
    expect(proseOf('```python\nx\n```')).toBe('');
    expect(proseOf('Here: ```python\nx\n``` there')).toBe('Here: \n there');
  });
});

/** Mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const PARTS = [
  '```',
  '````',
  '~~~',
  '```python',
  '```py\n',
  '```bash\n',
  '{python}',
  '\n',
  '\n\n',
  '\r\n',
  ' ',
  '   ',
  '\t',
  '- ',
  '1. ',
  '"""',
  "'''",
  '"',
  "'",
  '#',
  '\\',
  '`',
  '~',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ':',
  ',',
  'x',
  'x = 1\n',
  '\uFEFF',
  '\u200B',
  '<think>',
  '</think>',
  '<thinking>',
  '</thinking>',
  '<tool_call>',
  '<end_code>',
  '</s>',
  '<|im_end|>',
  '<',
  'FINAL(',
  'FINAL_VAR(',
  'SUBMIT(',
  'FINAL(x)\n',
  '{"name": "a", "arguments": {}}',
  '\ud800',
  '\0',
  'é',
  '*',
  '…',
];

describe('any text', () => {
  it('is read without an error, and its parts are parts of it', () => {
    for (let seed = 1; seed <= sized(5_000, 20_000); seed += 1) {
      const next = random(seed);
      const reply = Array.from(
        { length: Math.floor(next() * 40) },
        () => PARTS[Math.floor(next() * PARTS.length)],
      ).join('');
      const { reasoning, text, blocks, prose } = parseReply(reply);
      expect(reply, `seed ${seed}`).toContain(text);
      expect(reasoning.length + text.length, `seed ${seed}`).toBeLessThanOrEqual(reply.length);
      expect(prose.length, `seed ${seed}`).toBeLessThanOrEqual(text.length);
      expect(
        blocks.every((block) => block.endsWith('\n') && block.trim() !== ''),
        `seed ${seed}`,
      ).toBe(true);
    }
  });

  /** Characters of each. */
  const SIZE = sized(250_000, 1_000_000);
  const filled = (part: string): string => part.repeat(Math.ceil(SIZE / part.length));
  const repeated = sized(
    ['```', '```py\n', '   ', '- ', '"""', "'", '\\', '<think>', '</thinking>', '<', 'FINAL('],
    PARTS,
  );
  const hostile: [name: string, text: string][] = [
    ...repeated.map((part): [string, string] => [JSON.stringify(part), filled(part)]),
    ...repeated.map((part): [string, string] => [`Python of ${JSON.stringify(part)}`, `\`\`\`python\n${filled(part)}`]),
    ['blocks', filled('```python\nx\n```\n')],
    ['fences that are never closed', filled('```python\n')],
    ['strings that are never closed', filled("```python\n\\'''\n```\n")],
    ['two kinds of them', filled('```python\n\\\'\'\'\n```\n```python\n\\"""\n```\n')],
    ['comments with fences', filled('```python\n#```\n')],
    ['half markers', filled('```python\n<end_code><end_code>x\n')],
    ['FINAL without an end', filled('FINAL(\n')],
    ['FINAL of nothing', filled('FINAL(...)\n')],
    ['closing tags on one line', `x${filled('</think> ')}`],
    ['closing tags in code', `\`\`\`python\n${filled('</think>\n')}`],
    ['closing tags in strings', `\`\`\`python\n"""\n${filled('</think>\n')}`],
    ['nested lists of JSON', filled('[')],
    ['blanks', filled(' ')],
    ['blanks before text', `${filled(' ')}x`],
    ['words in FINAL', `FINAL(${filled('a ')}=)`],
    ['blanks behind code', `\`\`\`python\nx${filled(' ')}y\n\`\`\``],
    ['indented lines', '```python\n'.concat(filled('  x\n'))],
    ['fences behind prose', filled('a ```python\n')],
  ];
  // A megabyte takes up to a second of CPU, and what is not linear minutes; a quarter of it a sixteenth of those.
  it.each(hostile)('is read in linear time: %s', { timeout: 60_000 }, (_name, text) => {
    const before = process.cpuUsage();
    parseReply(text);
    replyOutcome({ text, finish_reason: 'stop' });
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(sized(4, 15));
  });
});

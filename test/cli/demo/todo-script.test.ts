import { expect, it } from 'vitest';
import { pythonLiteral } from '../../../examples/python-code.ts';
import play from '../../../examples/todo/script.ts';
import { readTask } from '../../../src/cli/demo/scenario.ts';
import type { Conversation, Reply } from '../../../src/testing/index.ts';

const { prompt: DEMO_PROMPT } = readTask('todo');

/** The conversation of an agent whose blocks printed these outputs. */
function conversation(task: string, outputs: readonly string[]): Conversation {
  const messages = [
    { role: 'system', content: 'You work by writing Python.' },
    { role: 'user', content: `Task:\n${task}\n\nBegin.` },
    ...outputs.flatMap((output) => [
      { role: 'assistant', content: '(a reply)' },
      { role: 'user', content: `Output:\n${output}\n\nTurns left: 40.` },
    ]),
  ];
  return {
    messages,
    model: 'scripted',
    headers: {},
    hash: '',
    key: '',
    opening: messages
      .slice(0, 2)
      .map(({ content }) => content)
      .join('\n'),
    last: messages.at(-1)?.content ?? '',
    turn: outputs.length,
    askedBefore: 0,
    answeredBefore: 0,
  };
}

async function reply(task: string, ...outputs: string[]): Promise<Reply | undefined> {
  return play(conversation(task, outputs));
}

const SHARE = 'TODO comments in pkg/: find them.\nPathspecs for git: ["pkg/"]\nDifficulty: ...';
const FEW = '3 lines with TODO, FIXME or XXX in 2 files\n     2  pkg/a.py\n     1  pkg/b.py';
const MANY = '40 lines with TODO, FIXME or XXX in 9 files\n     2  pkg/a.py';

it('does not answer conversations of other agents', async () => {
  expect(await reply('make coffee')).toBeUndefined();
});

it('gives every reply as a thought and one block of code', async () => {
  for (const text of await Promise.all([reply(DEMO_PROMPT), reply(SHARE), reply(SHARE, FEW), reply(SHARE, MANY)])) {
    expect(text).toMatch(/^[A-Z0-9][^\n]+\.\n\n```python\n[^`]+\n```$/);
  }
});

it('ends at once where there is nothing to find', async () => {
  expect(await reply(DEMO_PROMPT, '0 lines with TODO, FIXME or XXX in 0 of 3 files')).toContain('FINAL("There is no');
});

it('delegates what there is', async () => {
  const output = '265 lines with TODO, FIXME or XXX in 121 of 433 files\n   265  Lib/';
  expect(await reply(DEMO_PROMPT, output)).toContain('rlm_query_batched');
});

it('looks, edits and checks what the reports agree on, and gives an account', async () => {
  const choice = {
    file: 'pkg/a "b".py',
    line: 3,
    why: 'nothing reads the constant NL: no line of its file',
    edit: { old: "NL = '\\n'  # XXX: no longer used\n", new: '' },
  };
  const outputs = ['9 lines with TODO, FIXME or XXX in 2 of 3 files', 'reports', `Choice: ${JSON.stringify(choice)}`];
  expect(await reply(DEMO_PROMPT, ...outputs)).toContain('path = "pkg/a \\"b\\".py"\nnumber = 3\nname = "NL"');
  expect(await reply(DEMO_PROMPT, ...outputs, 'lines')).toContain(
    String.raw`edit_file(path, "NL = '\\n'  # XXX: no longer used\n", "")`,
  );
  expect(await reply(DEMO_PROMPT, ...outputs, 'lines', 'diff')).toContain('FINAL_VAR("answer")');
});

it('changes nothing when no report is certain of a change', async () => {
  const outputs = ['9 lines with TODO, FIXME or XXX in 2 of 3 files', 'reports', 'Choice: null'];
  const text = await reply(DEMO_PROMPT, ...outputs);
  expect(text).toContain('None was resolved');
  expect(text).not.toContain('edit_file');
});

it('reads a small share itself and splits a large one, but not a second time', async () => {
  expect(await reply(SHARE)).toContain('pathspecs = ["pkg/"]');
  expect(await reply(SHARE, FEW)).toContain('tokenize');
  expect(await reply(SHARE, MANY)).toContain('rlm_query_batched');
  const onePart = `${SHARE}\nThis is one reader's work: do not delegate it further.`;
  expect(await reply(onePart, MANY)).toContain('tokenize');
});

it('reads itself what nobody could be found for', async () => {
  const refused = 'pkg/a.py and 3 more: {"comments": 3}\npkg/d.py and 2 more: Error: the sandbox budget is used up';
  expect(await reply(SHARE, MANY, refused)).toContain('report.startswith("Error:")');
  expect(await reply(SHARE, MANY, refused, '12 comments in 3 files')).toContain('reports.append(json.dumps(report))');
  expect(await reply(SHARE, MANY, 'pkg/a.py and 3 more: {"comments": 3}')).toContain('All parts are back');
});

it('ends with the error when its code fails, and takes back what it may have changed', async () => {
  const failed = 'printed\n<error x>\nTraceback (most recent call last):\n  File "<block 1>", line 1\nValueError: no';
  const early = await reply(DEMO_PROMPT, failed);
  expect(early).toContain('FINAL("Nothing was changed, because my code failed: ValueError: no")');
  expect(early).not.toContain('checkout');
  expect(await reply(DEMO_PROMPT, 'a', 'b', 'Choice: null', 'c', failed)).toContain('git("checkout", "--", ".")');
  expect(await reply(SHARE, failed)).toContain('FINAL({"comments": 0');
});

it('writes values as Python does', () => {
  expect(pythonLiteral(['a\n"b"', 3, null])).toBe(String.raw`["a\n\"b\"", 3, None]`);
});

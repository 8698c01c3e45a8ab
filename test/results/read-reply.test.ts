import { expect, it } from 'vitest';
import { readReply } from '../../src/results/read-reply.ts';

const CODE = 'I delete it.\n```python\nremove()\n```';

it.each([
  ['code', 'turn', CODE, 'stop', { prose: 'I delete it.', code: ['remove()\n'], notRun: null }],
  [
    'a reply that was cut off',
    'turn',
    CODE,
    'length',
    { prose: CODE, code: [], notRun: /cut off at the length limit/ },
  ],
  ['one that was stopped', 'turn', CODE, 'content_filter', { prose: CODE, code: [], notRun: /content filter/ }],
  ['a tool call', 'turn', '<tool_call>{"name": "f"}</tool_call>', 'stop', { code: [], notRun: /calls a tool/ }],
  ['words', 'turn', ' I think. ', 'stop', { prose: 'I think.', code: [], notRun: 'The reply has no code.' }],
  ['the closing answer', 'final_answer', CODE, 'stop', { prose: CODE, code: [], notRun: null }],
] as const)('%s: shows as code what ran, and why nothing did', (_, purpose, text, finish_reason, expected) => {
  const read = readReply({ purpose, text, finish_reason });
  const { notRun } = expected;
  expect(read).toMatchObject({
    ...expected,
    notRun: notRun instanceof RegExp ? expect.stringMatching(notRun) : notRun,
  });
});

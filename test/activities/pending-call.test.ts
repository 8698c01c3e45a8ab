import { expect, it } from 'vitest';
import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import { pendingCall } from '../../src/activities/pending-call.ts';
import type { CallEvent } from '../../src/domain/kernel-protocol.ts';
import { parseReply } from '../../src/sandbox/kernel-replies.ts';

/** What a kernel may send that lets through more than ours does. */
async function storedBy(name: string, arguments_: Readonly<Record<string, unknown>>): Promise<number> {
  let stored = 0;
  const put = (): Promise<string> => {
    stored += 1;
    return Promise.resolve('hash');
  };
  const deps = { blobs: { put }, chains: { putJson: put } } as unknown as ActivityDependencies;
  const event: CallEvent = { type: 'call', cursor: 1, call: '1.1', function: name, arguments: arguments_, hash: '' };
  await pendingCall(deps, event);
  return stored;
}

const variables = (count: number, value: unknown): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`v${at}`, value]));

it.each([
  ['5,001 prompts', 'llm_query_batched', { prompts: Array.from({ length: 5001 }, () => 'x') }],
  ['400,000 variables', 'rlm_query', { task: 'x', variables: variables(400_000, 1) }],
  [
    'variables of many tasks',
    'rlm_query_batched',
    { tasks: Array.from({ length: 200 }, () => 'x'), variables: variables(51, []) },
  ],
  ['an object for a prompt', 'llm_query', { prompt: { type: 'image_url', image_url: { url: 'http://a.example' } } }],
  [
    'parts of a message for prompts',
    'llm_query_batched',
    { prompts: ['x', [{ type: 'file', file: { file_id: 'f' } }]] },
  ],
  ['a number for a task', 'rlm_query', { task: 1 }],
  ['nothing for tasks', 'rlm_query_batched', { tasks: [null] }],
  ['no argument', 'llm_query', {}],
])('the host stores nothing of a call of %s', async (_, name, given) => {
  await expect(storedBy(name, given)).rejects.toMatchObject({ type: 'Sandbox.Diverged' });
});

it('the host stores what a kernel lets through', async () => {
  expect(await storedBy('llm_query_batched', { prompts: Array.from({ length: 5000 }, () => 'x') })).toBe(1);
  expect(await storedBy('rlm_query', { task: 'x', variables: variables(100, 1) })).toBe(101);
});

it.each([
  ['of too many values', `[${'0,'.repeat(4_000_001)}0]`, 'too many values'],
  ['nested too deeply', `${'['.repeat(300)}${']'.repeat(300)}`, 'nested too deeply'],
  ['with half a character', String.raw`{"a":["\ud800"]}`, 'not Unicode'],
  ['with half a character in a key', String.raw`{"\udfff":1}`, 'not Unicode'],
])('a reply %s is refused', (_, text, why) => {
  expect(() => parseReply(Buffer.from(text))).toThrow(why);
});

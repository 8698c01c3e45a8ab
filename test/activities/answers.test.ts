import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { answerOfCall, spawnedAgents, storedAnswers } from '../../src/activities/answers.ts';
import { answerUsage, type Answer } from '../../src/domain/records.ts';
import { createChains } from '../../src/storage/chain.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'rlm-answers-'));
afterAll(() => rmSync(folder, { recursive: true }));
const chains = createChains(createFileBlobStore({ path: folder }));

it('answers of a batch are delivered in order, whether they travel by themselves, as a list, or counted', async () => {
  const usage = { input_tokens: 1, output_tokens: 2, cost: 0.5 };
  const refs = await Promise.all(['one', 'two', 'three'].map((text) => chains.putJson(text)));
  const [one = '', two = '', three = ''] = refs;
  const list = await storedAnswers(chains, [
    { ref: two, usage },
    { error: 'refused' },
    { ref: three, child: '0.7', usage },
  ]);
  const answer: Answer = { items: [{ ref: one, usage }, list, { error: 'used up', count: 2 }] };
  const { value } = await answerOfCall(chains, { call: '1.1', answer, limit: 100 });
  expect(value).toEqual(['one', 'two', 'Error: refused', 'three', 'Error: used up', 'Error: used up']);
  expect(spawnedAgents(answer)).toEqual(['0.7']);
  expect(answerUsage(answer)).toEqual({ input_tokens: 3, output_tokens: 6, cost: 1.5, llm_calls: 3 });
});

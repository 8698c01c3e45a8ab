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
const blobs = createFileBlobStore({ path: folder });
const chains = createChains(blobs);

it('answers of a batch are delivered in order, whether they travel by themselves, as a list, or counted', async () => {
  const usage = { input_tokens: 1, output_tokens: 2, cost: 0.5 };
  const refs = await Promise.all(['one', 'two', 'three'].map((text) => chains.putJson(text)));
  const [one = '', two = '', three = ''] = refs;
  const list = await storedAnswers(chains, [
    { ref: two, usage },
    { error: 'refused' },
    { ref: three, child: '0.7', spent: { ...usage, llm_calls: 9 } },
  ]);
  const answer: Answer = { items: [{ ref: one, usage }, list, { error: 'used up', count: 2 }] };
  const { value } = await answerOfCall({ blobs, chains }, { call: '1.1', answer, limit: 100 });
  expect(value).toEqual(['one', 'two', 'Error: refused', 'three', 'Error: used up', 'Error: used up']);
  expect(spawnedAgents(answer)).toEqual(['0.7']);
  expect(answerUsage(answer)).toEqual({ input_tokens: 2, output_tokens: 4, cost: 1, llm_calls: 2 });
});

it('a report comes with its patch and usage, and with all of it where it is cut', async () => {
  const spent = { input_tokens: 5, output_tokens: 6, cost: 0, llm_calls: 2 };
  const patch = await blobs.put(Buffer.from([0x64, 0xff]));
  const [short = '', long = ''] = await Promise.all(['short', 'long '.repeat(20)].map((text) => chains.putJson(text)));
  const answer: Answer = {
    items: [
      { ref: short, child: '0.1', spent, patch },
      { error: 'refused' },
      { ref: long, child: '0.2', spent, error: 'it failed' },
    ],
  };
  const { reports } = await answerOfCall({ blobs, chains }, { call: '1.1', answer, limit: 10 });
  expect(reports).toEqual({
    0: { usage: spent, patch: Buffer.from([0x64, 0xff]).toString('base64') },
    2: { usage: spent, whole: `Error: it failed. What it had so far:\n${'long '.repeat(20)}` },
  });
});

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ChainRecord } from '../../src/domain/records.ts';
import { NO_USAGE } from '../../src/domain/usage.ts';
import { renderTranscript } from '../../src/results/transcript.ts';
import { createSyntheticStore, type SyntheticStore } from './synthetic-run.ts';

let store: SyntheticStore;
beforeEach(async () => {
  store = await createSyntheticStore();
});
afterEach(() => store.remove());

const common = { v: 1, parent: 'p', usage: NO_USAGE, execution_time: 1 } as const;
const reply = (iteration: number): ChainRecord => ({
  ...common,
  kind: 'reply',
  iteration,
  purpose: 'turn',
  model: 'm',
  text: `thought ${iteration}`,
  finish_reason: 'stop',
  request: { messages: 1, characters: 1, last: '' },
});
const fork = (message: string | null, iteration: number, agent: string): ChainRecord => ({
  ...common,
  kind: 'fork',
  run: 's',
  agent: '0',
  from: { run: 'before', execution: 'e', agent },
  iteration,
  message,
});
const end: ChainRecord = {
  ...common,
  kind: 'end',
  status: 'completed',
  source: 'final',
  answer_ref: null,
  error: null,
  patch: null,
  notes: ['a note'],
};

async function transcript(records: readonly ChainRecord[]): Promise<string[]> {
  const reference = {
    head: 'h',
    agent: '0',
    depth: 0,
    task: 't',
    state: 'done',
    status: 'completed',
    iteration: 1,
    sandbox: null,
    usage: NO_USAGE,
    started_at: 0,
    updated_at: 0,
  } as const;
  const text = await renderTranscript(store.blobs, { reference, records, answer: undefined });
  return text.trimEnd().split('\n\n');
}

it('has the messages of a person, and the run that is continued, where the model was told', async () => {
  const steer: ChainRecord = { ...common, kind: 'steer', id: 'i', iteration: 2, message: 'Leave the tests\nalone' };
  expect(await transcript([reply(1), steer, reply(2), fork('Now document it', 3, '0'), reply(3), end])).toEqual([
    '# Agent 0 (completed)',
    '## Iteration 1 (m, 1.0 s)',
    'thought 1',
    '(The reply has no code.)',
    'A message from a person:',
    '> Leave the tests\n> alone',
    '## Iteration 2 (m, 1.0 s)',
    'thought 2',
    '(The reply has no code.)',
    '## Continues before after iteration 2',
    'A message from a person:',
    '> Now document it',
    '## Iteration 3 (m, 1.0 s)',
    'thought 3',
    '(The reply has no code.)',
    'Note: a note',
  ]);
});

it.each([
  [fork(null, 1, '0'), '## Continues before from its task'],
  [fork(null, 5, '0.2'), '## Continues agent 0.2 of before after iteration 4'],
])('names what is shared with the other run', async (record, title) => {
  expect(await transcript([record])).toEqual(['# Agent 0 (completed)', title]);
});

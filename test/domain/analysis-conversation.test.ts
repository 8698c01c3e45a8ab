import { describe, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../../src/domain/config.ts';
import { renderConversation } from '../../src/domain/prompts/conversation.ts';
import type { AnalysisSpecification, ChainRecord, ReplyRecord, TaskRecord } from '../../src/domain/records.ts';
import { readSignature } from '../../src/domain/signature/read-signature.ts';
import { summarizeValue } from '../../src/domain/summarize-value.ts';
import { NO_USAGE } from '../../src/domain/usage.ts';

const run: AnalysisSpecification = {
  v: 1,
  kind: 'run',
  type: 'analyze',
  run: 'r',
  execution: '3fa9c2d1-7b5e-4c1d-9a02-5d7e8f9a0b1c',
  prompt: 'p',
  signature: readSignature({
    signature: 'documents: list[str], question -> answer: str, sources: list[{n: int, quote?: str}]',
    instructions: 'Answer from the documents alone.',
    descriptions: { answer: 'One sentence.', documents: 'Minutes of meetings.' },
  }),
  inputs: [
    {
      name: 'documents',
      format: 'jsonl',
      ref: 'x',
      size: 2_616_097,
      summary: summarizeValue(['Present: everybody. ' + 'a'.repeat(500), 'b']),
    },
    { name: 'question', format: 'text', ref: 'y', size: 12, summary: summarizeValue('Who was ill?') },
  ],
  tools: [
    {
      name: 'weather',
      doc: 'The weather of a city.\n\nArgs:\n    city: its name.',
      parameters: [
        { name: 'city', type: 'str' },
        { name: 'days', type: 'any', annotation: 'int', default: 1 },
      ],
      timeout: 60,
      attempts: 3,
    },
  ],
  config: DEFAULT_CONFIG,
};

function task(agent: string, depth: number, handed: Partial<TaskRecord> = {}): TaskRecord {
  return { v: 1, kind: 'task', parent: null, agent, depth, run: 's', task: 'p', prompt_version: 1, ...handed };
}

function reply(iteration: number, text: string, purpose: ReplyRecord['purpose'] = 'turn'): ReplyRecord {
  const request = { messages: 2, characters: 10, last: '' };
  const said = { text, finish_reason: 'stop', model: 'm', usage: NO_USAGE, execution_time: 1, request };
  return { v: 1, kind: 'reply', parent: 'p', iteration, purpose, ...said };
}

describe('the prompts of an analysis', () => {
  it('lead the root agent', () => {
    const [system, first] = renderConversation([task('0', 0)], run, 'turn');
    expect(system?.content).toMatchSnapshot();
    expect(first?.content).toMatchSnapshot();
  });

  it('lead a sub-agent, with what it was handed', () => {
    const variables = [
      { name: 'part', format: 'json' as const, ref: 'z', size: 30, summary: summarizeValue(['one', 'two']) },
    ];
    const limited = { ...run, config: { ...DEFAULT_CONFIG, rlm: { ...DEFAULT_CONFIG.rlm, max_depth: 1 } } };
    const records = [task('0.1', 1, { task: 'Who is named?', variables })];
    const [system, first] = renderConversation(records, limited, 'turn');
    expect(system?.content).toMatchSnapshot();
    expect(first?.content).toMatchSnapshot();
  });

  it('ask for the fields when the turns are used up, and say what does not fit', () => {
    const records: ChainRecord[] = [task('0', 0), reply(1, 'Hm.')];
    expect(renderConversation(records, run, 'final_answer').at(-1)?.content).toMatchSnapshot();
    const refused = reply(1, '```json\n{"answer": 3, "source": []}\n```', 'final_answer');
    expect(renderConversation([...records, refused], run, 'final_answer').at(-1)?.content).toMatchSnapshot();
  });

  it('leave out turns that a summary replaces, and list the names their code has set', () => {
    const result = {
      status: 'ok' as const,
      stdout: 'much',
      stderr: '',
      stdout_length: 4,
      stderr_length: 0,
      error: null,
      final: null,
      execution_time: 1,
    };
    const block = { v: 1, kind: 'block', parent: 'p', index: 0, result, spawned: [], calls: [] } as const;
    const code =
      'import json, re as regex\nx, y = 1, 2\nfor z in []:\n    inner = 1\ndef helper():\n    local = 1\nx == 2';
    const summary = { v: 1, kind: 'summary', parent: 'p', model: 'm', usage: NO_USAGE, execution_time: 1 } as const;
    const records: ChainRecord[] = [
      task('0', 0),
      reply(1, '```python\nfirst()\n```'),
      { ...block, iteration: 1, block: 1, code },
      reply(2, '```python\nsecond()\n```'),
      { ...block, iteration: 2, block: 2, code: 'second()' },
      { ...summary, iteration: 3, through: 1, text: 'x is one.' },
    ];
    const messages = renderConversation(records, run, 'turn').slice(2);
    expect(messages.map(({ role }) => role)).toEqual(['assistant', 'user', 'assistant', 'user']);
    expect(messages).toMatchSnapshot();
  });
});

import { describe, expect, it } from 'vitest';
import { fold, recordsAfter, repliesWithoutCode } from '../../src/domain/agent-state.ts';
import type { BlockResult } from '../../src/domain/kernel-protocol.ts';
import type { ChainRecord, PendingCall } from '../../src/domain/records.ts';

/** Links records as a trajectory does: the hash of each is its position. */
function chain(...records: readonly object[]): ChainRecord[] {
  return records.map((record, at) => ({ v: 1, parent: at === 0 ? null : `h${at - 1}`, ...record }) as ChainRecord);
}

const TASK = { kind: 'task', agent: '0', depth: 0, run: 'spec', task: 'do it', prompt_version: 1 };
const usage = (cost: number): object => ({ input_tokens: 10, output_tokens: 1, cost, llm_calls: 1 });
const reply = (iteration: number, text = '```python\nprint(1)\n```', fields: object = {}): object => ({
  kind: 'reply',
  iteration,
  purpose: 'turn',
  text,
  finish_reason: 'stop',
  model: 'm',
  usage: usage(0.5),
  execution_time: 1,
  request: { messages: 1, characters: 1, last: '' },
  ...fields,
});
const block = (number: number, index = 0, result: Partial<BlockResult> = {}): object => ({
  kind: 'block',
  iteration: 1,
  block: number,
  index,
  code: 'print(1)\n',
  result: {
    status: 'ok',
    stdout: '',
    stderr: '',
    stdout_length: 0,
    stderr_length: 0,
    error: null,
    final: null,
    execution_time: 0,
    ...result,
  },
  spawned: [],
  calls: [],
});
const call = (name: string, request = `request-${name}`): PendingCall => ({
  call: name,
  function: 'llm_query',
  request,
});
const calls = (number: number, made: readonly PendingCall[], cursor: number, kernel_names?: object): object => ({
  kind: 'calls',
  block: number,
  calls: made,
  cursor,
  ...(kernel_names === undefined ? {} : { kernel_names }),
});
const answers = (number: number, ...names: readonly string[]): object => ({
  kind: 'answers',
  block: number,
  answers: names.map((name) => ({
    call: name,
    answer: { ref: `answer-${name}`, usage: { input_tokens: 1, output_tokens: 1, cost: 0.25 } },
  })),
});
const rebuild = (generation: number): object => ({
  kind: 'rebuild',
  generation,
  sandbox: `local:${generation}:s`,
  reason: 'lost',
  repeated: [],
  skipped: [],
  differences: [],
  note: '',
  execution_time: 1,
});
const TWO_BLOCKS = '```python\na = 1\n```\nand\n```python\nb = 2\n```';

describe('fold', () => {
  it('of a task alone has done nothing', () => {
    expect(fold(chain(TASK))).toMatchObject({
      iteration: 0,
      block: 0,
      generation: 0,
      pending: undefined,
      end: undefined,
    });
  });

  it('has the first block of a reply pending, then the next, then none', () => {
    const begun = [TASK, reply(1, TWO_BLOCKS)];
    expect(fold(chain(...begun)).pending).toMatchObject({ block: 1, index: 0, code: 'a = 1\n', iteration: 1 });
    expect(fold(chain(...begun, block(1))).pending).toMatchObject({ block: 2, index: 1, code: 'b = 2\n' });
    expect(fold(chain(...begun, block(1), block(2, 1))).pending).toBeUndefined();
  });

  it.each([
    ['fails', { status: 'error', error: 'no' }],
    ['calls FINAL', { final: { value: 1 } }],
    ['is interrupted', { status: 'interrupted' }],
  ] as const)('has nothing pending after a block that %s', (_name, result) => {
    expect(fold(chain(TASK, reply(1, TWO_BLOCKS), block(1, 0, result))).pending).toBeUndefined();
  });

  it('has nothing to run for text, for a reply that was cut off, and for a final answer', () => {
    for (const record of [
      reply(1, 'only words'),
      reply(1, undefined, { finish_reason: 'length' }),
      reply(1, undefined, { purpose: 'final_answer' }),
    ])
      expect(fold(chain(TASK, record)).pending).toBeUndefined();
  });

  it('numbers blocks over the whole agent', () => {
    expect(fold(chain(TASK, reply(1), block(1), reply(2))).pending).toMatchObject({ block: 2, index: 0 });
  });

  it('knows the calls of the pending block, their answers, and how far its events were read', () => {
    const { pending } = fold(
      chain(TASK, reply(1), calls(1, [call('1.1'), call('1.2')], 2), answers(1, '1.2'), calls(1, [call('1.3')], 3)),
    );
    expect(pending?.calls.map((made) => made.call)).toEqual(['1.1', '1.2', '1.3']);
    expect([...(pending?.answers.keys() ?? [])]).toEqual(['1.2']);
    expect(pending?.cursor).toBe(3);
    expect([...(pending?.kernelNameByCall ?? [])]).toEqual([
      ['1.1', '1.1'],
      ['1.2', '1.2'],
      ['1.3', '1.3'],
    ]);
  });

  it('begins the pending block again after a rebuild: its calls are known, and have no names in the new kernel yet', () => {
    const lost = [TASK, reply(1), calls(1, [call('1.1'), call('1.2')], 2), answers(1, '1.1'), rebuild(1)];
    const begun = fold(chain(...lost)).pending;
    expect(begun).toMatchObject({ cursor: 0 });
    expect(begun?.calls).toHaveLength(2);
    expect([...(begun?.answers.keys() ?? [])]).toEqual(['1.1']);
    expect(begun?.kernelNameByCall.size).toBe(0);
    const again = fold(chain(...lost, calls(1, [call('1.1~1')], 2, { '1.2': '1.1', '1.1~1': '1.2' }))).pending;
    expect(Object.fromEntries(again?.kernelNameByCall ?? [])).toEqual({ '1.1~1': '1.2', '1.2': '1.1' });
  });

  it('sums what model calls used: replies, summaries, and prompts of the code', () => {
    const summary = {
      kind: 'summary',
      iteration: 2,
      through: 1,
      text: 's',
      model: 'm',
      usage: usage(1),
      execution_time: 1,
    };
    const state = fold(
      chain(TASK, reply(1), calls(1, [call('1.1')], 1), answers(1, '1.1'), block(1), summary, reply(2)),
    );
    expect(state.usage).toEqual({ input_tokens: 31, output_tokens: 4, cost: 2.25, llm_calls: 4 });
    expect(state).toMatchObject({ iteration: 2, block: 1 });
  });

  it('knows whether code of this sandbox has ended its interpreter', () => {
    const crashed = [TASK, reply(1), block(1, 0, { status: 'crashed' })];
    expect(fold(chain(...crashed)).interpreterEnded).toBe(true);
    expect(fold(chain(...crashed, rebuild(1)))).toMatchObject({ interpreterEnded: false, generation: 1 });
  });
});

describe('replies without code', () => {
  it('are counted in a row, from the newest back; one that was cut off neither counts nor ends the row', () => {
    const cut = reply(3, 'cut', { finish_reason: 'length' });
    expect(repliesWithoutCode(chain(TASK, reply(1, 'a'), reply(2), block(1), reply(3, 'b'), cut, reply(4, 'c')))).toBe(
      2,
    );
    expect(repliesWithoutCode(chain(TASK, reply(1, 'a'), reply(2)))).toBe(0);
    expect(repliesWithoutCode(chain(TASK))).toBe(0);
  });
});

describe('the continuation of a head', () => {
  it('is what follows it; nothing after the newest; undefined for a head of another trajectory', () => {
    const records = chain(TASK, reply(1), block(1));
    expect(recordsAfter(records, 'h2', 'h0')).toBe(1);
    expect(recordsAfter(records, 'h2', 'h2')).toBe(3);
    expect(recordsAfter(records, 'h2', 'elsewhere')).toBeUndefined();
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { resumeMessage, statusQuery, type RunState } from '../../src/domain/messages.ts';
import type { BlockRecord, ChainRecord, RunOutcome } from '../../src/domain/records.ts';
import {
  attempts,
  forTask,
  withCode,
  type Conversation,
  type ScriptedReply,
  type Step,
} from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

/** What goes wrong without anybody killing a process: models, budgets, code, sandboxes. */
vi.setConfig({ testTimeout: 90_000 });
let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(async () => {
  try {
    expect(await world.leftovers()).toEqual([]);
  } finally {
    await world.close();
  }
});

const EDIT = withCode('print(edit_file("pkg/b.py", "return 2", "return 22"))', 'I begin with the file.');
const done = (answer: string): string => withCode(`FINAL(${JSON.stringify(answer)})`);
const error = (status: number, body?: unknown, headers?: Record<string, string>): ScriptedReply => ({
  error: { status, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) },
});
const QUOTA = error(429, { error: { message: 'You exceeded your current quota', code: 'insufficient_quota' } });
const TOO_LONG = error(400, {
  error: { message: "This model's maximum context length is 10", code: 'context_length_exceeded' },
});

/** Answers what is not an agent's turn: the prompts of `llm_query`. */
const prompts =
  (reply: (prompt: string, conversation: Conversation) => string | ScriptedReply) => (conversation: Conversation) =>
    conversation.messages.length === 1 ? reply(conversation.last, conversation) : undefined;

async function paused(handle: WorkflowHandle): Promise<string> {
  const state = await vi.waitFor(
    async () => {
      const now = await handle.query<RunState>(statusQuery);
      if (now.status !== 'paused') throw new Error(`the run is ${now.status}`);
      return now;
    },
    { timeout: 20_000, interval: 50 },
  );
  return state.reason ?? '';
}

async function records(run: string, agent = '0'): Promise<ChainRecord[]> {
  const reference = (await world.agents(run)).find((found) => found.agent === agent);
  return world.chains.walk(reference?.head ?? '');
}

async function blocks(run: string, agent = '0'): Promise<BlockRecord[]> {
  return (await records(run, agent)).filter((record): record is BlockRecord => record.kind === 'block');
}

describe.concurrent('a fault of the model that passes', () => {
  const faults: readonly [name: string, ScriptedReply, object?][] = [
    ['HTTP 502 with a web page', error(502, '<html><body>Bad Gateway</body></html>')],
    ['a connection cut in the middle', { text: 'x'.repeat(10_000), cut: true }],
    ['no answer in time', { hang: true }, { timeout: 0.5 }],
    ['an error with status 200', { raw: '{"error": {"code": 503, "message": "overloaded"}}' }],
    ['HTTP 500', error(500)],
    ['HTTP 503', error(503)],
    ['HTTP 429', error(429)],
    ['invalid JSON', { raw: '{"choices": [' }],
    ['no choices', { raw: '{"choices": []}' }],
    ['an empty body', { raw: '' }],
  ];
  it.each(sized(faults.slice(0, 2), faults))(
    '%s: the turn is asked again, and nothing is paid twice',
    async (name, fault, model_config) => {
      const id = name.replaceAll(/\W+/g, '-');
      const model = await world.startModel({
        scripts: forTask(`meet ${name}`, [EDIT, attempts(fault, done('there'))]),
      });
      const outcome = await world.run({ id, prompt: `meet ${name}`, model, config: { model: model_config ?? {} } });
      expect(outcome).toMatchObject({ status: 'completed', answer: 'there', iterations: 2, usage: { llm_calls: 2 } });
      expect(model.count()).toBe(3);
      expect(model.paidTwice()).toEqual([]);
      await model.close();
    },
  );

  const hints: readonly [form: string, () => Record<string, string>, least: number][] = [
    ['a date', () => ({ 'retry-after': new Date(Date.now() + 3000).toUTCString() }), 1900],
    ['seconds', () => ({ 'retry-after': '2' }), 1900],
    ['milliseconds', () => ({ 'retry-after-ms': '1500' }), 1400],
  ];
  it.each(sized(hints.slice(0, 1), hints))('Retry-After in %s is waited for', async (form, headers, least) => {
    const step: Step = ({ askedBefore }) => (askedBefore === 0 ? error(429, undefined, headers()) : done('waited'));
    const model = await world.startModel({ scripts: forTask(`wait ${form}`, [step]) });
    const outcome = await world.run({ id: `retry-after-${form.replace(' ', '-')}`, prompt: `wait ${form}`, model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'waited' });
    const [first, second] = model.calls;
    expect((second?.at ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(least);
    expect(model.count()).toBe(2);
    await model.close();
  });
});

describe.concurrent('a reply that cannot be used', () => {
  it('cut off by the length limit is not run, but asked for again, shorter', async () => {
    const model = await world.startModel({
      scripts: forTask('long-winded', [
        { text: withCode('open("never", "w")'), finishReason: 'length' },
        ({ last }) => (last.includes('shorter') ? done('short') : 'wrong'),
      ]),
    });
    const outcome = await world.run({ id: 'length', prompt: 'long-winded', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'short', patch_ref: null });
    await model.close();
  });

  it('empty, three times in a row, ends with the best answer asked for once', async () => {
    const model = await world.startModel({ scripts: forTask('silence', [EDIT, '', ' ', '', 'It is edited.']) });
    const outcome = await world.run({ id: 'silence', prompt: 'silence', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'It is edited.', iterations: 4 });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await model.close();
  });

  it('with FINAL in its text only has finished; in a sentence it has not', async () => {
    const model = await world.startModel({
      scripts: forTask('say FINAL', ['When I am done I shall call FINAL(x).', 'FINAL("in the text")']),
    });
    const outcome = await world.run({ id: 'text-final', prompt: 'say FINAL', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'in the text', iterations: 2 });
    await model.close();
  });
});

describe.concurrent('a conversation longer than the context', () => {
  it('ends with the best answer, asked for with turns left out', async () => {
    const model = await world.startModel({
      // Not even a summary can be asked for.
      scripts: [
        ({ last }) => (last.includes('write a summary') ? TOO_LONG : undefined),
        forTask(
          'overflow',
          [
            EDIT,
            withCode(`print("${'x'.repeat(4000)}")`),
            withCode(`print("${'y'.repeat(4000)}")`),
            ({ last, messages }) => {
              const length = messages.reduce((sum, { content }) => sum + content.length, 0);
              if (!last.includes('best answer')) return TOO_LONG;
              return length > 14_000 ? TOO_LONG : 'the best there is';
            },
          ],
          { turn: ({ turn, last }) => (last.includes('best answer') ? 3 : turn) },
        ),
      ],
    });
    const outcome = await world.run({ id: 'overflow', prompt: 'overflow', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'the best there is', iterations: 4 });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    expect((await records('overflow')).at(-1)).toMatchObject({ kind: 'end', source: 'final_answer' });
    await model.close();
  });

  it('fails with what is known when not even that can be asked', async () => {
    const model = await world.startModel({ scripts: forTask('no way', [EDIT, TOO_LONG]) });
    const outcome = await world.run({ id: 'no-way', prompt: 'no way', model });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Model.ContextLength: .*longer context/),
      answer: expect.stringContaining('unfinished'),
    });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await model.close();
  });
});

describe.concurrent('a refusal for good', () => {
  const refusals: readonly [name: string, ScriptedReply, RegExp][] = [
    ['401', error(401), /HTTP 401.*LLM_API_KEY where the worker runs\./],
    ['503-for-too-long', error(503), /HTTP 503.*asked 2 times/],
    [
      '402',
      error(402, { error: { message: 'Insufficient credits' } }),
      /HTTP 402, Insufficient credits.*Check credit and rights/,
    ],
    ['insufficient_quota', QUOTA, /HTTP 429.*quota.*Check credit and rights/],
  ];
  it.each(sized(refusals.slice(0, 1), refusals))(
    '%s pauses the run and says why; resumed, it continues from the same conversation',
    async (name, fault, reason) => {
      let mended = false;
      const model = await world.startModel({
        scripts: forTask(`refuse ${name}`, [EDIT, () => (mended ? done('resumed') : fault)]),
      });
      const config = { model: { max_attempts: 2 } };
      const handle = await world.start({ id: `refuse-${name}`, prompt: `refuse ${name}`, model, config });
      expect(await paused(handle)).toMatch(reason);
      mended = true;
      await handle.signal(resumeMessage);
      const outcome = await handle.result();
      expect(outcome).toMatchObject({ status: 'completed', answer: 'resumed', iterations: 2, usage: { llm_calls: 2 } });
      expect((await world.patch(outcome)).toString()).toContain('+    return 22');
      const refused = model.calls.filter(({ turn }) => turn === 1);
      expect(new Set(refused.map(({ hash }) => hash)).size).toBe(1);
      expect(refused).toHaveLength(name.startsWith('503') ? 3 : 2);
      expect(model.paidTwice()).toEqual([]);
      await model.close();
    },
  );

  it('a key that is missing on the worker pauses the run before anything is asked', async () => {
    const model = await world.startModel({ scripts: [] });
    const config = { model: { max_attempts: 2, api_key_env: 'KEY_THAT_IS_NOT_SET' } };
    const handle = await world.start({ id: 'no-key', prompt: 'no key', model, config });
    expect(await paused(handle)).toContain('KEY_THAT_IS_NOT_SET');
    await handle.cancel();
    expect(await handle.result()).toMatchObject({ status: 'cancelled' });
    expect(model.count()).toBe(0);
    await model.close();
  });

  it('ends the run with what it has where on_error says so', async () => {
    const model = await world.startModel({ scripts: forTask('fail at once', [EDIT, error(401)]) });
    const config = { rlm: { on_error: 'fail' } };
    const outcome = await world.run({ id: 'fail', prompt: 'fail at once', model, config });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Model.Refused: .*HTTP 401/),
      answer: expect.stringContaining('pkg/b.py'),
      iterations: 2,
    });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await model.close();
  });

  it('of a sub-agent pauses the whole run, and all of it continues', async () => {
    let mended = false;
    const model = await world.startModel({
      scripts: [
        forTask('tree of refusals', [withCode('FINAL(rlm_query_batched(["leaf 0", "leaf 1", "leaf 2", "leaf 3"]))')]),
        forTask(/leaf [013]/, [withCode('x = task'), withCode('FINAL(x)')]),
        forTask('leaf 2', [withCode('x = task'), () => (mended ? withCode('FINAL(x)') : error(401))]),
      ],
    });
    const handle = await world.start({ id: 'refused-leaf', prompt: 'tree of refusals', model });
    expect(await paused(handle)).toMatch(/^agent 0\.3: .*401/);
    mended = true;
    await handle.signal(resumeMessage);
    const outcome = await handle.result();
    expect(await world.answer(outcome)).toEqual(['leaf 0', 'leaf 1', 'leaf 2', 'leaf 3']);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('of a sub-agent is an error string for its parent where on_error says fail', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('failing leaf', [withCode('FINAL(rlm_query_batched(["good leaf", "bad leaf"]))')]),
        forTask('good leaf', [done('good')]),
        forTask('bad leaf', [withCode('print("half a report")'), error(403)]),
      ],
    });
    const config = { rlm: { on_error: 'fail' } };
    const outcome = await world.run({ id: 'failing-leaf', prompt: 'failing leaf', model, config });
    expect(await world.answer(outcome)).toEqual([
      'good',
      expect.stringMatching(
        /^Error: sub-agent 0\.2 did not finish \(Model\.Refused[^]*What it had so far:[^]*half a report/,
      ),
    ]);
    await model.close();
  });
});

describe.concurrent('prompts of llm_query', () => {
  it('a fault that passes is asked again, prompt by prompt', async () => {
    const faults: ScriptedReply[] = [
      error(500),
      error(429, undefined, { 'retry-after': '1' }),
      { text: 'x'.repeat(1000), cut: true },
      { raw: 'nonsense' },
      { raw: '{"choices": []}' },
    ];
    const model = await world.startModel({
      scripts: [
        forTask('many prompts', [withCode('FINAL(llm_query_batched([f"q{i}" for i in range(10)]))')]),
        prompts(
          (prompt, { askedBefore }) =>
            (askedBefore === 0 ? faults[Number(prompt.slice(1)) - 3] : undefined) ?? `re ${prompt}`,
        ),
      ],
    });
    const outcome = await world.run({ id: 'passing', prompt: 'many prompts', model });
    expect(await world.answer(outcome)).toEqual(Array.from({ length: 10 }, (_, i) => `re q${i}`));
    expect(model.count(({ task }) => task.startsWith('q'))).toBe(15);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('one that fails for good is an error string in its place; the others have their answers', async () => {
    const faults: Record<string, ScriptedReply> = {
      q1: error(503),
      q2: error(400, { error: { message: 'flagged by the filter' } }),
      q3: TOO_LONG,
      q4: { hang: true },
    };
    const model = await world.startModel({
      scripts: [
        forTask('some fail', [
          withCode('a = llm_query("q3")\nFINAL([a] + llm_query_batched([f"q{i}" for i in range(12)]))'),
        ]),
        prompts((prompt) => faults[prompt] ?? `re ${prompt}`),
      ],
    });
    const config = { model: { max_attempts: 2, timeout: 2 } };
    const outcome = await world.run({ id: 'failing', prompt: 'some fail', model, config });
    expect(await world.answer(outcome)).toEqual([
      expect.stringMatching(/^Error: .*maximum context length/),
      're q0',
      expect.stringMatching(/^Error: .*HTTP 503/),
      expect.stringMatching(/^Error: .*flagged by the filter/),
      expect.stringMatching(/^Error: .*maximum context length/),
      expect.stringMatching(/^Error: .*no answer within 2 s/),
      ...Array.from({ length: 7 }, (_, i) => `re q${i + 5}`),
    ]);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('one that is refused pauses the run; resumed, only what has no answer is asked', async () => {
    let mended = false;
    const model = await world.startModel({
      scripts: [
        forTask('a refused prompt', [withCode('FINAL(llm_query_batched(["q0", "q1", "q2"]))')]),
        prompts((prompt) => (prompt === 'q1' && !mended ? error(402) : `re ${prompt}`)),
      ],
    });
    const handle = await world.start({ id: 'refused-prompt', prompt: 'a refused prompt', model });
    expect(await paused(handle)).toMatch(/HTTP 402/);
    mended = true;
    await handle.signal(resumeMessage);
    expect(await world.answer(await handle.result())).toEqual(['re q0', 're q1', 're q2']);
    expect(model.count(({ task }) => task.startsWith('q'))).toBe(4);
    await model.close();
  });

  it('one that is refused is an error string where on_error says fail', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('a prompt failed', [withCode('FINAL(llm_query_batched(["q0", "q1", "q2"]))')]),
        prompts((prompt) => (prompt === 'q1' ? error(402) : `re ${prompt}`)),
      ],
    });
    const config = { rlm: { on_error: 'fail' } };
    const outcome = await world.run({ id: 'failed-prompt', prompt: 'a prompt failed', model, config });
    expect(await world.answer(outcome)).toEqual(['re q0', expect.stringMatching(/^Error: .*HTTP 402/), 're q2']);
    await model.close();
  });
});

describe.concurrent('money', () => {
  const cost = (text: string, usd: number): ScriptedReply => ({ text, usage: { cost: usd } });

  it('that is used up pauses the run; raised and resumed, it continues from the same conversation', async () => {
    const model = await world.startModel({
      scripts: forTask('worth it', [
        cost(EDIT, 0.4),
        cost(withCode('x = 1'), 0.4),
        cost(withCode('x += 1'), 0.4),
        cost(withCode('FINAL(x)'), 0.4),
      ]),
    });
    const config = { rlm: { max_cost: 1 } };
    const handle = await world.start({ id: 'worth-it', prompt: 'worth it', model, config });
    expect(await paused(handle)).toMatch(/budget of \$1 .*rlm.max_cost/);
    expect(await handle.query<RunState>(statusQuery)).toMatchObject({ failure: 'Budget.Exhausted' });
    await world.setBudget('worth-it', { max_cost: 2 });
    await handle.signal(resumeMessage);
    expect(await handle.result()).toMatchObject({ status: 'completed', answer: '2', usage: { cost: 1.6 } });
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('that is used up ends the run with what it has where on_error says so', async () => {
    const model = await world.startModel({
      scripts: forTask('expensive', [
        cost(EDIT, 0.4),
        cost(withCode('print("seen")'), 0.4),
        cost(withCode('x = 1'), 0.4),
      ]),
    });
    const config = { rlm: { max_cost: 1, on_error: 'fail' } };
    const outcome = await world.run({ id: 'expensive', prompt: 'expensive', model, config });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Budget.Exhausted: .*max_cost/),
      answer: expect.stringContaining('seen'),
      usage: { cost: 1.2 },
    });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await model.close();
  });

  it('is not overspent by a batch of prompts; the rest is asked when there is more', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('thrifty', [
          cost(withCode('a = llm_query_batched([f"q{i}" for i in range(30)])\nFINAL(sum(x == "ok" for x in a))'), 0.1),
        ]),
        prompts(() => cost('ok', 0.1)),
      ],
    });
    const config = { rlm: { max_cost: 1 } };
    const handle = await world.start({ id: 'thrifty', prompt: 'thrifty', model, config });
    expect(await paused(handle)).toMatch(/budget of \$1 .*rlm.max_cost/);
    expect(model.count()).toBe(10);
    await world.setBudget('thrifty', { max_cost: 4 });
    await handle.signal(resumeMessage);
    const outcome = (await handle.result()) as RunOutcome;
    expect(outcome).toMatchObject({ status: 'completed', answer: '30' });
    expect(outcome.usage.cost).toBeCloseTo(3.1);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('is not overspent by a batch of prompts; with on_error: fail those beyond it get an error string', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('spendthrift', [
          cost(
            withCode('a = llm_query_batched([f"q{i}" for i in range(100)])\nFINAL([sum(x == "ok" for x in a), a[-1]])'),
            0.1,
          ),
        ]),
        prompts(() => cost('ok', 0.1)),
      ],
    });
    const config = { rlm: { max_cost: 1, on_error: 'fail' } };
    const outcome = await world.run({ id: 'spendthrift', prompt: 'spendthrift', model, config });
    expect(await world.answer(outcome)).toEqual([9, expect.stringMatching(/^Error: .*max_cost/)]);
    expect(outcome.usage.cost).toBe(1);
    await model.close();
  });

  it('is overspent by sub-agents by less than a call of each', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('shopping', [cost(withCode('a = rlm_query_batched([f"buyer {i}" for i in range(6)])\nFINAL(a)'), 0.1)]),
        forTask(/buyer \d/, [
          cost(withCode('print("bought")'), 0.1),
          cost(withCode('x = 1'), 0.1),
          cost(done('x'), 0.1),
        ]).reply,
      ],
    });
    const config = { rlm: { max_cost: 1, on_error: 'fail' } };
    const outcome = await world.run({ id: 'shopping', prompt: 'shopping', model, config });
    const answers = (await world.answer(outcome)) as string[];
    expect(answers.filter((answer) => /^Error: .*Budget\.Exhausted[^]*bought/.test(answer)).length).toBeGreaterThan(2);
    expect(outcome.usage.cost).toBeGreaterThanOrEqual(1);
    expect(outcome.usage.cost).toBeLessThan(1 + 7 * 0.1);
    await model.close();
  });

  it('is shared: what the root does not need, its sub-agents may spend', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('rich root', [cost(withCode('FINAL(rlm_query_batched(["poor 1", "poor 2", "poor 3"]))'), 0.05)]),
        forTask(/poor \d/, [
          cost(withCode('1'), 0.1),
          cost(withCode('a = llm_query_batched(["q"] * 4)'), 0.1),
          cost(withCode('FINAL(sum(x == "ok" for x in a))'), 0.1),
        ]),
        prompts(() => cost('ok', 0.1)),
      ],
    });
    const config = { rlm: { max_cost: 3 } };
    const outcome = await world.run({ id: 'shared', prompt: 'rich root', model, config });
    expect(await world.answer(outcome)).toEqual(['4', '4', '4']);
    expect(outcome).toMatchObject({ status: 'completed', usage: { cost: 2.15 } });
    await model.close();
  });
});

describe.concurrent('code that misbehaves', () => {
  it('is interrupted at its time limit, keeps its state, and is told so', async () => {
    const model = await world.startModel({
      scripts: forTask('loop for ever', [
        withCode('x = 41\nwhile True: pass'),
        ({ last }) => withCode(`FINAL([x, ${last.includes('time limit of 1 s') ? 'True' : 'False'}])`),
      ]),
    });
    const config = { sandbox: { block_timeout: 1 } };
    const outcome = await world.run({ id: 'loop', prompt: 'loop for ever', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer: '[41,true]' });
    await model.close();
  });

  it('is killed when it does not react; what it did is undone, what was before is not', async () => {
    const model = await world.startModel({
      scripts: forTask('deaf', [
        withCode('x = 41\nopen("kept", "w").write("k")'),
        withCode('y = 1\nimport signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass'),
        ({ last }) =>
          withCode(
            `FINAL([x, "y" in globals(), open("kept").read(), task, ${last.includes('is undone') ? 'True' : 'False'}])`,
          ),
      ]),
    });
    const config = { sandbox: { block_timeout: 1 } };
    const outcome = await world.run({ id: 'deaf', prompt: 'deaf', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer: '[41,false,"k","deaf",true]' });
    await model.close();
  });

  it('is ended at its memory limit', async () => {
    const model = await world.startModel({
      scripts: forTask('greedy', [
        withCode('x = [bytearray(50_000_000) for _ in range(100)]'),
        ({ last }) => done(last.includes('more than 200 MiB of memory') ? 'told' : last),
      ]),
    });
    const config = { sandbox: { memory_mb: 200 } };
    const outcome = await world.run({ id: 'greedy', prompt: 'greedy', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'told' });
    await model.close();
  });

  it('may print 100 MB and bytes that are no text; head and tail are shown', async () => {
    const model = await world.startModel({
      scripts: forTask('loud', [
        withCode('import os, sys\nprint("begin")\nfor _ in range(100): os.write(1, b"z" * 1_000_000)\nprint("end")'),
        ({ last }) => {
          const shown = last.includes('begin') && last.includes('zend') && last.length < 15_000;
          return withCode(
            `sys.stdout.buffer.write(b"caf\\xe9 \\xff\\x00 \\x1b[31m")\nshown = ${shown ? 'True' : 'False'}`,
          );
        },
        ({ last }) => withCode(`FINAL([shown, ${JSON.stringify(last)}])`),
      ]),
    });
    const outcome = await world.run({ id: 'loud', prompt: 'loud', model });
    const [shown, seen] = (await world.answer(outcome)) as [boolean, string];
    expect(shown).toBe(true);
    expect(seen).toContain('caf\\xe9');
    // oxlint-disable-next-line no-control-regex -- that there is none is the point
    expect(seen).not.toMatch(/[\u0000\u001b]/);
    const [loud] = await blocks('loud');
    expect(loud?.result.stdout_length).toBe(100_000_000 + 'begin\nend\n'.length);
    await model.close();
  });

  it('may swallow what FINAL raises: the answer counts', async () => {
    const model = await world.startModel({
      scripts: forTask('swallow', [
        withCode(
          'try:\n    FINAL("sealed")\nexcept:\n    pass\nwhile True:\n    try:\n        FINAL("later")\n    except BaseException:\n        break',
        ),
      ]),
    });
    const outcome = await world.run({ id: 'swallow', prompt: 'swallow', model });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'sealed', iterations: 1 });
    await model.close();
  });

  const answers: readonly [name: string, code: string, answer: unknown][] = [
    ['None', 'FINAL(None)', null],
    ['half a character', 'FINAL("x\\ud800y")', expect.stringMatching(/^x.*y$/)],
    ['itself', 'a = []\na.append(a)\nFINAL(a)', expect.anything()],
    ['an empty string', 'FINAL("")', ''],
    ['a false value', 'FINAL(False)', false],
    [
      'nested data',
      'FINAL({"a": [1, 2.5, {"b": None}], "ü": "\\U0001f600"})',
      { a: [1, 2.5, { b: null }], ü: '\u{1f600}' },
    ],
    ['a huge integer', 'FINAL(10 ** 30)', expect.anything()],
    ['not a number', 'FINAL(float("nan"))', expect.anything()],
    ['an object', 'FINAL(object())', expect.stringContaining('object')],
    ['a set', 'FINAL({1})', expect.anything()],
  ];
  it.each(sized(answers.slice(0, 1), answers))('may give FINAL %s', async (name, code, answer) => {
    const id = `final-${name.replaceAll(' ', '-')}`;
    const model = await world.startModel({ scripts: forTask(`give ${name}`, [withCode(code)]) });
    const outcome = await world.run({ id, prompt: `give ${name}`, model });
    expect(outcome).toMatchObject({ status: 'completed', error: null, iterations: 1 });
    expect(await world.answer(outcome)).toEqual(answer);
    await model.close();
  });

  it('may give FINAL 20 MB; a parent gets the beginning and the end', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('huge answers', [
          withCode(
            'r = rlm_query("a huge report")\nassert len(r) < 1200 and r.startswith("[This report is cut: it has 20,000,000 char") and r.endswith("zzz") and "left out" in r, r[:300]\nassert r.full == "a" * 10_000_000 + "z" * 10_000_000',
          ),
          withCode('FINAL("b" * 20_000_000)'),
        ]),
        forTask('a huge report', [withCode('FINAL("a" * 10_000_000 + "z" * 10_000_000)')]),
      ],
    });
    const config = { rlm: { result_truncation_limit: 1000 } };
    const outcome = await world.run({ id: 'huge', prompt: 'huge answers', model, config });
    expect((await blocks('huge'))[0]?.result).toMatchObject({ status: 'ok' });
    expect(outcome).toMatchObject({ answer: expect.stringMatching(/^b{3999}…$/), answer_truncated: true });
    expect(await world.answer(outcome)).toBe('b'.repeat(20_000_000));
    await model.close();
  });

  it('after its last turn has its best answer asked for; a failure of that leaves what is known', async () => {
    const model = await world.startModel({
      scripts: forTask('never done', [EDIT, withCode('print("the last output")'), error(400)]),
    });
    const config = { rlm: { max_iterations: 2 } };
    const outcome = await world.run({ id: 'never-done', prompt: 'never done', model, config });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Model.BadRequest/),
      answer: expect.stringContaining('the last output'),
    });
    expect((await world.patch(outcome)).toString()).toContain('+    return 22');
    await model.close();
  });
});

describe.concurrent('a sandbox that is lost and not made again', () => {
  const config = { sandbox: { max_rebuilds: 0 } };

  it('in the middle of a block ends its agent with what is known', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('lose it', [
          withCode('print("a first finding")'),
          withCode('import time\nllm_query("now")\ntime.sleep(100)'),
        ]),
        prompts(() => 'ok'),
      ],
    });
    const handle = await world.start({ id: 'lost', prompt: 'lose it', model, config });
    await model.when(({ task, outcome }) => task === 'now' && outcome === 'answered');
    await world.killSandbox('lost', '0');
    const outcome = await handle.result();
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Sandbox\.Lost: /),
      answer: expect.stringContaining('a first finding'),
      patch_ref: null,
      notes: [expect.stringMatching(/patch could not be taken.*gone/)],
    });
    await model.close();
  });

  it('of a sub-agent is an error string with what it had; its siblings go on', async () => {
    let killed!: () => void;
    const gone = new Promise<void>((resolve) => (killed = resolve));
    const model = await world.startModel({
      scripts: [
        forTask('parent of the lost', [withCode('FINAL(rlm_query_batched(["steady 1", "unlucky", "steady 2"]))')]),
        forTask(/steady \d/, [withCode('llm_query("hold")\nFINAL(task)')]),
        forTask('unlucky', [withCode('print("half done")'), withCode('llm_query("kill me")\nprint("never")')]),
        (conversation) => {
          if (conversation.messages.length !== 1) return undefined;
          if (conversation.last === 'kill me') {
            return world.killSandbox('lost-child', '0.2').then(() => (killed(), 'ok'));
          }
          return gone.then(() => 'go on');
        },
      ],
    });
    const outcome = await world.run({ id: 'lost-child', prompt: 'parent of the lost', model, config });
    expect(await world.answer(outcome)).toEqual([
      'steady 1',
      expect.stringMatching(
        /^Error: sub-agent 0\.2 did not finish \(Sandbox\.Lost: [^]*What it had so far:[^]*half done/,
      ),
      'steady 2',
    ]);
    await model.close();
  });
});

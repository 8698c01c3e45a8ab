import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { resumeMessage, statusQuery, type RunState } from '../../src/domain/messages.ts';
import type { ChainRecord } from '../../src/domain/records.ts';
import { forTask, withCode, type Conversation, type Reply, type ScriptedReply } from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

/** What a run does about what providers say. How each of them words it is in test/llm/providers.test.ts. */
vi.setConfig({ testTimeout: 90_000 });
let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(() => world.close());

const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
const raw = (finish_reason: string, message: object, counts: object = usage): ScriptedReply => ({
  raw: JSON.stringify({ choices: [{ index: 0, finish_reason, message }], usage: counts }),
});
const refused = (status: number, body: unknown, headers: Record<string, string> = {}): ScriptedReply => ({
  error: { status, body, headers },
});
const badRequest = (message: string, more: object = {}): ScriptedReply =>
  refused(400, { error: { message, type: 'invalid_request_error', ...more } });
const MODERATED = refused(403, {
  error: {
    message: 'openai/m requires moderation. Your input was flagged.',
    code: 403,
    metadata: { reasons: ['violence'], flagged_input: '...' },
  },
});

/** An agent that asks these prompts and finishes with the answers. */
const asking = (task: string, prompts: readonly string[]) =>
  forTask(task, [withCode(`FINAL(llm_query_batched(${JSON.stringify(prompts)}))`)]);
const prompts = (reply: (prompt: string, conversation: Conversation) => Reply) => (conversation: Conversation) =>
  conversation.messages.length === 1 ? reply(conversation.last, conversation) : undefined;

async function paused(handle: WorkflowHandle): Promise<string> {
  const state = await vi.waitFor(
    async () => {
      const now = await handle.query<RunState>(statusQuery);
      if (now.status !== 'paused') throw new Error(`the run is ${now.status}`);
      return now;
    },
    { timeout: 30_000, interval: 100 },
  );
  return state.reason ?? '';
}

async function records(run: string): Promise<ChainRecord[]> {
  const reference = (await world.agents(run)).find(({ agent }) => agent === '0');
  return world.chains.walk(reference?.head ?? '');
}

describe.concurrent('the answer to a prompt', () => {
  const CUT = /^Error: the answer was cut at the output limit[^]*The first half of$/;
  const WITHHELD = 'Error: the provider withheld the answer (content_filter)';

  const ANSWERS: readonly (readonly [name: string, reply: ScriptedReply, answer: string | RegExp])[] = [
    ['cut', raw('length', { content: 'The first half of' }), CUT],
    ['cut, in the words of Mistral', raw('model_length', { content: 'The first half of' }), CUT],
    ['cut, in the words of Anthropic', raw('max_tokens', { content: 'The first half of' }), CUT],
    ['cut after its reasoning', raw('length', { content: '<think>hm</think>The first half of' }), CUT],
    ['cut within its reasoning', raw('length', { content: '<think>hm' }), /^Error: the answer was cut/],
    ['withheld', raw('content_filter', { content: '' }), WITHHELD],
    ['withheld, without a message', { raw: '{"choices":[{"finish_reason":"content_filter: SAFETY"}]}' }, WITHHELD],
    ['withheld half-way', raw('content_filter', { content: 'It is' }), /^Error: the provider withheld[^]*It is$/],
    ['with its reasoning in tags', raw('stop', { content: '<think>hm</think>\nParis' }), 'Paris'],
    ['with two of them', raw('stop', { content: '<thinking>a</thinking>\n<think>b</think>\n\nParis' }), 'Paris'],
    ['with the closing tag alone', raw('stop', { content: 'hm, France...\n</think>\n\nParis' }), 'Paris'],
    ['that speaks of tags', raw('stop', { content: 'Write <think> and </think>.' }), 'Write <think> and </think>.'],
    [
      'as a stream that was not asked for',
      {
        raw: 'data: {"choices":[{"delta":{"content":"Pa"}}]}\n\ndata: {"choices":[{"delta":{"content":"ris"}}]}\n\ndata: [DONE]\n\n',
      },
      'Paris',
    ],
    [
      'as a stream with comments and usage',
      {
        raw: ': OPENROUTER PROCESSING\n\ndata: {"choices":[{"delta":{"content":"Paris"},"finish_reason":"stop"}]}\r\n\r\ndata: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\r\n\r\ndata: [DONE]\r\n\r\n',
      },
      'Paris',
    ],
  ];
  /** Asked again, which helps or is an error string. */
  const EMPTY: readonly (readonly [name: string, reply: ScriptedReply])[] = [
    ['reasoning only', raw('stop', { content: null, reasoning_content: 'I wonder' })],
    ['reasoning in tags only', raw('stop', { content: '<think>I wonder</think>' })],
    ['nothing', raw('stop', { content: '' })],
    ['blanks', raw('stop', { content: ' \n' })],
    ['parts that hold no text', raw('stop', { content: [{ type: 'thinking', thinking: [] }] })],
  ];
  const names = [
    ...ANSWERS.map(([name]) => name),
    ...EMPTY.flatMap(([name]) => [`${name}, which passes`, `${name}, which stays`]),
  ];
  let answers: Readonly<Record<string, string>> = {};
  let asked: ReadonlyMap<string, number> = new Map();

  // All prompts of one batch.
  beforeAll(async () => {
    const replies = new Map([...ANSWERS, ...EMPTY].map(([name, reply]) => [name, reply] as const));
    const model = await world.startModel({
      scripts: [
        forTask('ask them all', [
          withCode(`names = ${JSON.stringify(names)}\nFINAL(dict(zip(names, llm_query_batched(names))))`),
        ]),
        prompts((name, { askedBefore }) => {
          if (name.endsWith(', which passes') && askedBefore > 0) return 'Paris';
          return replies.get(name) ?? replies.get(name.replace(/, which \w+$/, '')) ?? 'unknown';
        }),
      ],
    });
    const outcome = await world.run({ id: 'all-answers', prompt: 'ask them all', model });
    answers = (await world.answer(outcome)) as Record<string, string>;
    asked = new Map(names.map((name) => [name, model.count(({ task }) => task === name)]));
    expect(model.calls.every(({ outcome: ended }) => ended !== 'aborted')).toBe(true);
    await model.close();
  }, 60_000);

  it.each(ANSWERS)('%s', (name, _reply, expected) => {
    if (typeof expected === 'string') expect(answers[name]).toBe(expected);
    else expect(answers[name]).toMatch(expected);
    expect(asked.get(name)).toBe(1);
  });

  it.each(EMPTY)('%s: asked again, which helps or is an error string', (name) => {
    expect(answers[`${name}, which passes`]).toBe('Paris');
    expect(asked.get(`${name}, which passes`)).toBe(2);
    expect(answers[`${name}, which stays`]).toBe('Error: the model gave no answer');
    expect(asked.get(`${name}, which stays`)).toBe(3);
  });
});

describe.concurrent('a conversation that the provider finds too long', () => {
  const WORDINGS: readonly (readonly [name: string, answer: ScriptedReply])[] = [
    ['Moonshot', badRequest('Invalid request: Your request exceeded model token limit: 131072')],
    ['DashScope', badRequest('<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]')],
    [
      'Together',
      badRequest(
        'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`',
      ),
    ],
    ['OpenRouter', badRequest('Input length 131393 exceeds the maximum allowed input length of 131072')],
    ['Z.ai', badRequest('Prompt exceeds max length')],
    ['a message size limit', badRequest('total message size 10176584 exceeds limit 2097152')],
    [
      'a flat body',
      refused(400, {
        object: 'error',
        message:
          'Prompt contains 34567 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
        code: '3051',
      }),
    ],
    [
      'an error beside a code',
      refused(400, {
        code: 'invalid',
        error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
      }),
    ],
    ['413 without a body', refused(413, '')],
    [
      'more tokens than a minute has',
      refused(413, {
        error: {
          message:
            'Request too large for model `m` on tokens per minute (TPM): Limit 8000, Requested 9386, please reduce your message size and try again.',
          type: 'tokens',
          code: 'rate_limit_exceeded',
        },
      }),
    ],
    [
      'the same as 429',
      refused(429, {
        error: {
          message:
            'Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.',
          code: 'rate_limit_exceeded',
        },
      }),
    ],
    [
      'an answer of few tokens',
      raw('length', { role: 'assistant', content: 'I will now' }, { prompt_tokens: 15_900, completion_tokens: 57 }),
    ],
    ['an answer of none', raw('length', { content: '' }, { prompt_tokens: 32_768, completion_tokens: 0 })],
    ['an answer without usage', raw('length', { content: 'I will now' }, {})],
    ['a reason of its own', raw('model_context_window_exceeded', { content: 'I will now' }, { prompt_tokens: 9 })],
  ];
  const isSummary = ({ last }: Conversation): boolean => last.includes('write a summary of all turns so far');
  const lengthOf = ({ messages }: Conversation): number =>
    messages.reduce((sum, { content }) => sum + content.length, 0);
  const LIMIT = 16_000;
  const summarizedAfter: string[] = [];

  // One agent prints much in turn after turn; what is longer than the limit gets the next of the answers instead.
  beforeAll(async () => {
    let [said, isOver] = [0, false];
    const model = await world.startModel({
      scripts: (conversation) => {
        if (isSummary(conversation)) {
          summarizedAfter.push(WORDINGS[said - 1]?.[0] ?? '');
          return 'Nothing was found so far.';
        }
        if (lengthOf(conversation) > LIMIT && said < WORDINGS.length) {
          said += 1;
          return WORDINGS[said - 1]?.[1];
        }
        isOver ||= said === WORDINGS.length;
        return withCode(isOver ? 'FINAL("seen")' : 'print("x" * 5000)');
      },
    });
    const config = { rlm: { output_limit: 6000, max_iterations: 6 * WORDINGS.length } };
    const outcome = await world.run({ id: 'grow', prompt: 'grow', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'seen' });
    expect((await records('grow')).filter(({ kind }) => kind === 'summary')).toHaveLength(WORDINGS.length);
    await model.close();
  }, 60_000);

  it.each(WORDINGS)('is compacted, and the run continues: %s', (name) => {
    expect(summarizedAfter.filter((after) => after === name)).toHaveLength(1);
  });

  it("that cannot be made shorter fails in the provider's own words", async () => {
    const words =
      'Request too large for model `m` on tokens per minute (TPM): Limit 8000, Requested 9386, please reduce your message size and try again';
    const model = await world.startModel({
      scripts: () => refused(413, { error: { message: words, type: 'tokens', code: 'rate_limit_exceeded' } }),
    });
    const outcome = await world.run({ id: 'over-a-minute', prompt: 'large', model });
    expect(outcome.status).toBe('failed');
    expect(outcome.error).toContain(words);
    expect(outcome.error).toContain('ask there for a higher one');
    expect(outcome.error).not.toContain('longer context');
    await model.close();
  });

  it('is not what cuts a reply that is as long as it may be', async () => {
    const model = await world.startModel({
      scripts: forTask('write at length', [
        withCode('print("seen")'),
        raw('length', { content: 'x' }, { prompt_tokens: 15_900, completion_tokens: 500 }),
        ({ last }) => (last.includes('shorter') ? withCode('FINAL("short")') : 'wrong'),
      ]),
    });
    const config = { model: { max_tokens: 512 } };
    const outcome = await world.run({ id: 'at-length', prompt: 'write at length', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'short', iterations: 3 });
    await model.close();
  });
});

describe.concurrent('moderation', () => {
  const MODERATIONS: readonly (readonly [provider: string, reply: ScriptedReply, reason: RegExp])[] = [
    ['OpenRouter', MODERATED, /Your input was flagged.*violence/],
    [
      'OpenAI',
      badRequest('Invalid prompt: your prompt was flagged as potentially violating our usage policy.', {
        code: 'invalid_prompt',
      }),
      /flagged as potentially/,
    ],
    [
      'Azure',
      badRequest("The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", {
        code: 'content_filter',
      }),
      /content management policy/,
    ],
    [
      'xAI',
      refused(403, { code: 'denied', error: 'Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X' }),
      /SAFETY_CHECK_TYPE_X/,
    ],
    [
      'DashScope',
      badRequest('Input data may contain inappropriate content.', { code: 'data_inspection_failed' }),
      /inappropriate content/,
    ],
  ];

  it('of one prompt is its error string; the others go on and nothing pauses', async () => {
    const names = [...MODERATIONS.map(([provider]) => provider), 'nobody'];
    const model = await world.startModel({
      scripts: [
        asking('moderated prompts', names),
        prompts((name) => MODERATIONS.find(([provider]) => provider === name)?.[1] ?? `re ${name}`),
      ],
    });
    const outcome = await world.run({ id: 'moderated-prompts', prompt: 'moderated prompts', model });
    expect(outcome.status).toBe('completed');
    const answers = (await world.answer(outcome)) as string[];
    for (const [at, [, , reason]] of MODERATIONS.entries()) {
      expect(answers[at]).toMatch(/^Error: /);
      expect(answers[at]).toMatch(reason);
    }
    expect(answers.at(-1)).toBe('re nobody');
    expect(model.count()).toBe(1 + names.length);
    expect(outcome.notes).toContainEqual(expect.stringMatching(/^5 of 6 llm_query calls failed: /));
    await model.close();
  });

  it("of an agent's own turn ends that agent with the reason; its parent gets the error string", async () => {
    const model = await world.startModel({
      scripts: [
        forTask('moderate a leaf', [withCode('FINAL(rlm_query_batched(["good leaf", "bad leaf"]))')]),
        forTask('good leaf', [withCode('FINAL("good")')]),
        forTask('bad leaf', [MODERATED]),
      ],
    });
    const outcome = await world.run({ id: 'moderated-leaf', prompt: 'moderate a leaf', model });
    expect(await world.answer(outcome)).toEqual(['good', expect.stringMatching(/^Error: [^]*flagged[^]*violence/)]);
    await model.close();
  });

  it("of the root's turn fails the run with the reason", async () => {
    const model = await world.startModel({ scripts: forTask('moderate the root', [MODERATED]) });
    const outcome = await world.run({ id: 'moderated-root', prompt: 'moderate the root', model });
    expect(outcome).toMatchObject({ status: 'failed', error: expect.stringMatching(/^Model\.Moderated: .*violence/) });
    expect(outcome.error).not.toContain('credit');
    await model.close();
  });
});

describe.concurrent('a rate limit', () => {
  const waits: [string, () => Record<string, string>][] = [
    ['0', () => ({ 'retry-after': '0' })],
    ['a date that has passed', () => ({ 'retry-after': new Date(Date.now() - 1000).toUTCString() })],
    ['-1', () => ({ 'retry-after': '-1' })],
    ['0 ms', () => ({ 'retry-after-ms': '0' })],
  ];
  it.each(sized(waits.slice(0, 2), waits))(
    'that asks to wait for %s: asked again, not at once',
    async (form, headers) => {
      const task = `wait for ${form}`;
      const limited = (): ScriptedReply => refused(429, { error: { message: 'rate limited' } }, headers());
      const model = await world.startModel({
        scripts: [
          forTask(task, [({ askedBefore }) => (askedBefore < 2 ? limited() : withCode('FINAL(llm_query("q"))'))]),
          prompts((_, { askedBefore }) => (askedBefore < 2 ? limited() : 'answered')),
        ],
      });
      const outcome = await world.run({ id: task.replaceAll(/\W+/g, '-'), prompt: task, model });
      expect(outcome).toMatchObject({ status: 'completed', answer: 'answered' });
      const times = model.calls.slice(0, 3).map(({ at }) => at);
      expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(400);
      expect(model.count()).toBe(6);
      await model.close();
    },
  );

  it.each(['turn', 'prompt'])('that lasts pauses the run at a %s; resumed, it continues', async (of) => {
    let mended = false;
    const limit = (): Reply => (mended ? 'answered' : refused(429, { error: { message: 'rate limited' } }));
    const model = await world.startModel({
      scripts: [
        forTask(`lasting ${of}`, [() => (of === 'turn' && !mended ? limit() : withCode('FINAL(llm_query("q"))'))]),
        prompts(limit),
      ],
    });
    const config = { model: { max_attempts: 3 } };
    const handle = await world.start({ id: `lasting-${of}`, prompt: `lasting ${of}`, model, config });
    expect(await paused(handle)).toMatch(/HTTP 429, rate limited.*asked 3 times/);
    mended = true;
    await handle.signal(resumeMessage);
    expect(await handle.result()).toMatchObject({ status: 'completed', answer: 'answered' });
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it.each<[string, ScriptedReply, RegExp]>([
    [
      'a quota of zero',
      refused(429, {
        error: {
          code: 429,
          status: 'RESOURCE_EXHAUSTED',
          message:
            'You exceeded your current quota. Quota exceeded for metric: free_tier_requests, limit: 0, model: m. Please retry in 2.5s.',
        },
      }),
      /You exceeded your current quota\. Quota exceeded for metric: free_tier_requests, limit: 0, model: m\. Please retry in 2\.5s/,
    ],
    [
      'insufficient_quota',
      refused(429, { error: { message: `${'long '.repeat(200)}end`, code: 'insufficient_quota' } }),
      /(long ){200}end/,
    ],
    [
      'credit used up, as 403',
      refused(403, {
        code: 'x',
        error: 'Your team has either used all available credits or reached its monthly spending limit.',
      }),
      /monthly spending limit/,
    ],
    [
      'an hour to wait',
      refused(429, { error: { message: 'tokens per day' } }, { 'retry-after': '3600' }),
      /tokens per day.*asks to wait 60 minutes/,
    ],
  ])('that is %s pauses at once with the whole message', async (name, reply, reason) => {
    const task = `pause for ${name}`;
    const model = await world.startModel({ scripts: forTask(task, [reply]) });
    const handle = await world.start({ id: task.replaceAll(/\W+/g, '-'), prompt: task, model });
    expect(await paused(handle)).toMatch(reason);
    // The first of them is asked in the whole first turn, the second by itself.
    expect(model.count()).toBeLessThanOrEqual(2);
    await handle.cancel();
    await handle.result();
    await model.close();
  });
});

it.concurrent('the notes of a run say how many prompts failed and with what', async () => {
  const model = await world.startModel({
    scripts: [
      asking('all fail', ['a', 'b', 'c']),
      asking('some fail', ['a', 'b', 'cut', 'd']),
      asking('none fail', ['d']),
      forTask('one by one', [withCode('FINAL([llm_query(each) for each in ("a", "d")])')]),
      forTask('a parent', [withCode('FINAL([llm_query("a"), rlm_query("a child")])')]),
      asking('a child', ['b', 'd']),
      prompts((prompt) => {
        if (prompt === 'd') return 'answered';
        return prompt === 'cut' ? raw('length', { content: 'half' }) : badRequest('no such parameter');
      }),
    ],
  });
  const all = await world.run({ id: 'all-fail', prompt: 'all fail', model });
  expect(all.notes).toEqual([expect.stringMatching(/^3 of 3 llm_query calls failed: .*HTTP 400, no such parameter/)]);
  const some = await world.run({ id: 'some-fail', prompt: 'some fail', model });
  expect(some.notes).toEqual([
    expect.stringMatching(/^3 of 4 llm_query calls failed: 2 x .*no such parameter.*; 1 x the answer was cut/),
  ]);
  const single = await world.run({ id: 'one-by-one', prompt: 'one by one', model });
  expect(single.notes).toEqual([expect.stringMatching(/^1 of 2 llm_query calls failed: .*no such parameter/)]);
  const tree = await world.run({ id: 'in-a-tree', prompt: 'a parent', model });
  expect(tree.notes).toEqual([expect.stringMatching(/^2 of 3 llm_query calls failed: .*no such parameter/)]);
  const none = await world.run({ id: 'none-fail', prompt: 'none fail', model });
  expect(none.notes).toEqual([]);
  await model.close();
});

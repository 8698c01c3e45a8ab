import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunOutcome } from '../../src/domain/records.ts';
import type { Conversation, Reply, ScriptFunction } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

/**
 * Replies as models write them, and what must come of them in a run. How each form is read is in
 * test/domain/reply.test.ts and test/domain/final-answer.test.ts.
 */
vi.setConfig({ testTimeout: 60_000 });

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
});
afterAll(() => world.close());

const fenced = (code: string, language = 'python'): string => `\`\`\`${language}\n${code}\n\`\`\``;
const UNSEEN = /Not finished: an earlier block of the same reply had printed something/;
const NO_TOOLS = /There are no tools to call here/;

/** Plays replies turn by turn; the last repeats. Prompts of `llm_query` get PONG. */
function playing(replies: readonly Reply[], heard: string[] = []): ScriptFunction {
  return (conversation) => {
    if (isPrompt(conversation)) return '<think>Table tennis?</think>\nPONG';
    heard[conversation.turn] = conversation.last;
    return replies[Math.min(conversation.turn, replies.length - 1)];
  };
}

const isPrompt = ({ messages }: Conversation): boolean => messages.length === 1;

describe.concurrent('replies of one agent, one after another', () => {
  /** Replies of which the last takes a value, and what the model is told about the others. */
  interface Step {
    readonly replies: readonly string[];
    readonly value?: unknown;
    readonly told?: RegExp;
  }
  /** @param take - a line of Python that keeps the value of an expression */
  type Case = (take: (expression: string) => string) => Step;
  const block = (language: string): Case => {
    return (take) => ({ replies: [fenced(take('"x"'), language)] });
  };
  const text = (reply: (code: string) => string, expression = '"x"', value: unknown = 'x'): Case => {
    return (take) => ({ replies: [reply(take(expression))], value });
  };

  const CASES: Readonly<Record<string, Case>> = {
    // Reasoning
    'think is no code': (take) => ({
      replies: [`<think>\nMaybe\n${fenced(take('"wrong"'))}\n</think>\nNow really:\n${fenced(take('"x"'))}`],
    }),
    'thinking is no code': (take) => ({
      replies: [`\n<thinking>${fenced(take('"wrong"'))}</thinking>${fenced(take('"x"'))}`],
    }),
    'two parts of reasoning': (take) => ({
      replies: [`<think>a</think>\n<think>${fenced(take('"wrong"'))}</think>\n${fenced(take('"x"'))}`],
    }),
    'reasoning that is never closed': (take) => ({
      replies: [`<think>\n${fenced(take('"wrong"'))}`, fenced(take('"x"'))],
      told: /no ```python/,
    }),
    'reasoning only': (take) => ({ replies: ['<think>Hm.</think>', fenced(take('"x"'))], told: /no ```python/ }),
    'all before a closing tag': (take) => ({
      replies: [`some thoughts\n${fenced(take('"wrong"'))}\n</think>\n${fenced(take('"x"'))}`],
    }),
    'a closing tag behind code that was not closed': (take) => ({
      replies: [`Try\n\`\`\`python\nfoo(\n</think>\n${fenced(take('"x"'))}`],
    }),
    'a closing tag first of all': text((code) => `</think>\n${fenced(code)}`),
    'tags in a string': text(
      fenced,
      '"the tag <think> opens, </think> closes"',
      'the tag <think> opens, </think> closes',
    ),
    'tags in a long string': text(fenced, '"""<think>\n</think>\n"""', '<think>\n</think>\n'),
    'a tag in prose': text((code) => `The tag </think> ends it.\n${fenced(code)}`),

    // Fences
    'a fence in a triple-quoted string': (take) => ({
      replies: [fenced(`readme = """# Title\n\`\`\`bash\nmake\n\`\`\`\nend"""\n${take('readme.splitlines()[-1]')}`)],
      value: 'end',
    }),
    'a fence with Python in a string': (take) => ({
      replies: [fenced(`s = """\n\`\`\`python\n${take('"wrong"')}\n\`\`\`\n"""\n${take('s.count("`")')}`)],
      value: 6,
    }),
    'a fence in a string, all indented': (take) => ({
      replies: [`1. So:\n   \`\`\`python\n   s = """\n   \`\`\`\n   end"""\n   ${take('s[-3:]')}\n   \`\`\`\n2. Then.`],
      value: 'end',
    }),
    'a string that is never closed: the first fence wins': (take) => ({
      replies: [`${fenced('s = """never')}\nText.`, fenced(take('"x"'))],
      told: /SyntaxError: unterminated triple-quoted string/,
    }),
    'a closing fence behind the code': text((code) => `\`\`\`python\n${code}\`\`\``),
    'a closing fence behind a comment': text((code) => `\`\`\`python\n${code}  # done\`\`\``),
    'all on one line': text((code) => `\`\`\`python ${code}\`\`\``),
    'prose behind the closing fence': text((code) => `\`\`\`python\n${code}\`\`\` That is it.`),
    'no closing fence': text((code) => `\`\`\`python\n${code}`),
    ...Object.fromEntries(
      ['<end_code>', '<end_action>', '</s>', '<|im_end|>', ' <|eot_id|>', '<eos>'].map((marker) => [
        `the marker ${marker}`,
        text((code) => `${fenced(code)}${marker}`),
      ]),
    ),
    'prose before a fence on its line': text((code) => `Here it is: ${fenced(code)}`),
    'a list item': text((code) => `- \`\`\`python\n  if True:\n      ${code}\n  \`\`\``),
    'a fence behind another block': (take) => ({ replies: [`${fenced('x = "x"')} and then ${fenced(take('x'))}`] }),
    'a block only spoken of': (take) => ({
      replies: ['I shall write a ```python block next.', fenced(take('"x"'))],
      told: /no ```python block/,
    }),
    ...Object.fromEntries(
      ['tool_code', 'ipython', 'python3', '{python}', 'repl', 'py', 'Python', '{.python}'].map((language) => [
        `the language ${language}`,
        block(language),
      ]),
    ),
    'a byte order mark': text((code) => `\uFEFF${fenced(code)}`),
    'one in the middle': text((code) => `So:\n\uFEFF${fenced(code)}`),
    tildes: text((code) => `~~~python\n${code}\n~~~`),
    'carriage returns': text((code) => fenced(code).replaceAll('\n', '\r\n')),

    // Calls of tools, none of which is the third reply without code
    ...Object.fromEntries(
      [
        '<tool_call>{"name": "python", "arguments": {"code": "1+1"}}</tool_call>',
        '<function_call>python(1)</function_call>',
        '{"name": "python", "arguments": {"code": "1+1"}}',
        '```json\n{"tool": "python", "input": "1+1"}\n```',
        'I will look.\n<function=python>{"code": "1"}</function>',
        '[TOOL_CALLS] [{"name": "python", "arguments": {}}]',
      ].map((call): [string, Case] => [
        `a tool that is not there: ${call}`,
        (take) => ({ replies: [call, call, call, fenced(take('"x"'))], told: NO_TOOLS }),
      ]),
    ),

    // await
    'await at the top level': (take) => ({
      replies: [
        fenced(
          `import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 'x'\nx = await f()\n${take('x')}`,
        ),
      ],
    }),
    'many questions at once': (take) => ({
      replies: [
        fenced('answers = await asyncio.gather(*(asyncio.to_thread(llm_query, "PING") for _ in range(3)))'),
        fenced(take('" ".join(answers)')),
      ],
      value: 'PONG PONG PONG',
    }),
    'a task that continues in a later block': (take) => ({
      replies: [
        fenced('async def f():\n    await asyncio.sleep(0.01)\n    return "x"\ntask = asyncio.create_task(f())'),
        fenced(take('await task')),
      ],
    }),
    'await as the last expression': (take) => ({
      replies: [fenced('async def f(): return 5\nawait f()'), fenced(take('"x"'))],
      told: /\n5\n/,
    }),

    // What the model has not seen cannot be the basis of FINAL
    ...Object.fromEntries(
      Object.entries({
        'made-up output, then SUBMIT': [`${fenced('print(1)')}\n\nOutput:\n999\n\n${fenced('SUBMIT(taken=[])')}`],
        'an echoed value': [`${fenced('len("abc")')}\n${fenced('SUBMIT(taken=[])')}`],
        'output on stderr': [`${fenced('import sys\nprint("x", file=sys.stderr)')}\n${fenced('SUBMIT(taken=[])')}`],
        'output of the first of three blocks': [
          `${fenced('print(1)')}\n${fenced('x = 1')}\n${fenced('SUBMIT(taken=[])')}`,
        ],
        'output, then FINAL_VAR': [`${fenced('print(1)\nnone = []')}\n${fenced('FINAL_VAR("none")')}`],
        'output, then FINAL as text': [`${fenced('print(1)')}\n\nFINAL([])`],
      }).map(([name, replies]): [string, Case] => [
        name,
        (take) => ({ replies: [...replies, fenced(take('"x"'))], told: UNSEEN }),
      ]),
    ),
    'although the code swallows it; and blocks behind it do not run': (take) => ({
      replies: [
        `${fenced('print(1)')}\n${fenced('try:\n    SUBMIT(taken=[])\nexcept BaseException:\n    pass')}\n${fenced('late = 1')}`,
        fenced(take('"late" in globals()')),
      ],
      value: false,
      told: /Stopped there: 1 more not run/,
    }),

    // FINAL that fails
    'FINAL as text behind a block that failed': (take) => ({
      replies: [`${fenced('1/0')}\nFINAL([])`, fenced(take('"x"'))],
      told: /ZeroDivisionError[^]*Stopped there: 1 more not run/,
    }),
    'FINAL as text of a name that is not there': (take) => ({
      replies: ['FINAL(Paris)', fenced(take('"x"'))],
      told: /NameError: name 'Paris' is not defined/,
    }),
    'FINAL as text of the wrong type': (take) => ({
      replies: ['FINAL(about three)', fenced(take('"x"'))],
      told: /taken: expected list\[list\], got str 'about three'/,
    }),
    'FINAL_VAR as text of no variable': (take) => ({
      replies: ['FINAL_VAR(nothing)', fenced(take('"x"'))],
      told: /FINAL_VAR: there is no variable 'nothing'/,
    }),
  };

  const steps = Object.entries(CASES).map(([name, make], at) => ({
    name,
    value: 'x',
    ...make((expression) => `taken.append([${at}, ${expression}])`),
  }));
  let taken: unknown[][] = [];
  const heard: string[] = [];

  beforeAll(async () => {
    const replies = [fenced('taken = []'), ...steps.flatMap((step) => step.replies), fenced('SUBMIT(taken=taken)')];
    const model = await world.startModel({ scripts: playing(replies, heard) });
    const config = { rlm: { max_iterations: replies.length } };
    const outcome = await world.analyze({ id: 'chain', signature: '-> taken: list[list]', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer_source: 'final' });
    ({ taken } = (await world.answer(outcome)) as { taken: unknown[][] });
  }, 120_000);

  it.each(steps.map((step, at) => ({ ...step, at })))('$name', ({ at, value, replies, told }) => {
    expect(taken.filter(([of]) => of === at)).toEqual([[at, value]]);
    const first = 1 + steps.slice(0, at).reduce((sum, step) => sum + step.replies.length, 0);
    // The message behind each reply but the last.
    if (told !== undefined)
      for (const message of heard.slice(first + 1, first + replies.length)) expect(message).toMatch(told);
  });
});

/** Plays each sub-agent by the number in its task, and the root, which asks them all at once. */
function family(cases: readonly (readonly Reply[])[]): ScriptFunction {
  const root = fenced(`FINAL(rlm_query_batched([f"Task number {i}." for i in range(${cases.length})]))`);
  return (conversation) => {
    const number = /Task number (\d+)\./.exec(conversation.opening)?.[1];
    return playing(number === undefined ? [root] : (cases[Number(number)] ?? []))(conversation);
  };
}

async function answersOf(
  id: string,
  cases: readonly (readonly Reply[])[],
  rlm: object = {},
): Promise<readonly unknown[]> {
  const model = await world.startModel({ scripts: family(cases) });
  const outcome = await world.run({ id, prompt: 'Ask them all.', model, config: { rlm } });
  return (await world.answer(outcome)) as unknown[];
}

describe.concurrent('replies that end an agent', () => {
  const CASES: Readonly<Record<string, readonly [replies: readonly string[], answer: string]>> = {
    'two blocks, the first silent': [[`${fenced('n = 5')}\n\n${fenced('FINAL(n)')}`], '5'],
    'output in the block itself': [[fenced('print(1)\nFINAL("x")')], 'x'],
    'blank lines are no output': [[`${fenced('print("\\n")')}\n${fenced('FINAL("x")')}`], 'x'],
    'three silent blocks': [[`${fenced('a = 1')}\n${fenced('b = 2')}\n${fenced('FINAL(a + b)')}`], '3'],
    'output of the turn before': [[fenced('print(1)'), fenced('FINAL("x")')], 'x'],
    'output that goes to a file': [[`${fenced('print("x", file=open("f", "w"))')}\n${fenced('FINAL("x")')}`], 'x'],
    'FINAL in a coroutine': [[fenced('async def f():\n    FINAL("x")\nawait f()')], 'x'],
    'keys keep their order': [[fenced('FINAL({"z": 1, "a": [{"y": 1, "x": 2}]})')], '{"z":1,"a":[{"y":1,"x":2}]}'],
    'FINAL as text': [['FINAL(The answer is 42)'], 'The answer is 42'],
    'FINAL as text that is Python': [['I know it.\n\nFINAL("42" + "!")'], '42!'],
    'FINAL as text of several lines': [['FINAL(one\ntwo (2)\nthree)'], 'one\ntwo (2)\nthree'],
    'FINAL as text in bold type': [['**FINAL(It is so.)**'], 'It is so.'],
    'FINAL as text in a fence of its own': [['```\nFINAL(It is so.)\n```'], 'It is so.'],
    'FINAL as text with quotes that do not match': [['FINAL("He said "no" twice")'], 'He said "no" twice'],
    'FINAL_VAR as text': [[fenced('result = 6 * 7'), 'FINAL_VAR(result)'], '42'],
    'FINAL_VAR as text in quotes': [[fenced('result = 6 * 7'), 'FINAL_VAR("result")'], '42'],
    'FINAL_VAR as text behind its block': [[`${fenced('result = "x"', 'repl')}\n\nFINAL_VAR(result)`], 'x'],
    'FINAL_VAR as text of an expression': [[fenced('found = ["x", "y"]'), 'FINAL_VAR(found[-1])'], 'y'],
    'FINAL_VAR as text of a list': [[fenced('found = ["x", 1]'), 'FINAL_VAR(found)'], '["x",1]'],
  };
  const cases = Object.values(CASES);
  let answers: readonly unknown[] = [];
  beforeAll(async () => {
    answers = await answersOf(
      'endings',
      cases.map(([replies]) => replies),
    );
  }, 60_000);

  it.each(Object.keys(CASES).map((name, at) => [name, at] as const))('%s', (_name, at) => {
    expect(answers[at]).toBe(cases[at]?.[1]);
  });

  it.each<[string, string, string, unknown]>([
    ['FINAL as text, in an analysis', '-> answer: str', 'FINAL(It is the x)', { answer: 'It is the x' }],
    ['SUBMIT as text', '-> answer: str', 'SUBMIT(answer="x")', { answer: 'x' }],
    [
      'keys keep their order, those of rows and objects too',
      '-> scores: dict[str, int], rows: list[dict], row: {a: int, b: int}, b: int, a: int, given: str',
      fenced(
        'SUBMIT(a=1, b=2, row={"b": 1, "a": 2}, scores={"zoe": 9, "bob": 5, "amy": 1}, rows=[{"z": 1, "a": 2}, {"m": 1, "b": {"y": 1, "x": 2}}], given=rlm_query("give it back", given={"z": 1, "a": 2}))',
      ),
      {
        scores: { zoe: 9, bob: 5, amy: 1 },
        rows: [
          { z: 1, a: 2 },
          { m: 1, b: { y: 1, x: 2 } },
        ],
        row: { b: 1, a: 2 },
        b: 2,
        a: 1,
        given: '{"z":1,"a":2}',
      },
    ],
  ])('%s', async (name, signature, reply, answer) => {
    const play = playing([reply]);
    const model = await world.startModel({
      scripts: (conversation) =>
        conversation.opening.includes('give it back') ? fenced('FINAL(given)') : play(conversation),
    });
    const outcome = await world.analyze({ id: name.replaceAll(/\W+/g, '-'), signature, model });
    expect(JSON.stringify(await world.answer(outcome))).toBe(JSON.stringify(answer));
  });
});

describe.concurrent('final answers', () => {
  it.each<[string, string, readonly Reply[], unknown, RegExp?]>([
    [
      'that are almost JSON',
      '-> n: int, s: str',
      ['<think>{"n": 1}</think>```json\n{"n": 3, "s": "three",}\n```'],
      { n: 3, s: 'three' },
    ],
    [
      'that are not JSON are asked for again',
      '-> n: int',
      ['I think {three} it is', '{"n": 3}'],
      { n: 3 },
      /not JSON at line 1, column 2/,
    ],
    [
      "with Python's constants, whose keys keep their order",
      '-> flag: bool, note: str | None, scores: dict[str, int]',
      ['{"flag": True, "note": None, "scores": {"zoe": 9, "amy": 1}}'],
      { flag: true, note: null, scores: { zoe: 9, amy: 1 } },
    ],
  ])('%s', async (name, signature, closing, answer, told = /./) => {
    const heard: string[] = [];
    const model = await world.startModel({ scripts: playing([fenced('x = 1'), ...closing], heard) });
    const config = { rlm: { max_iterations: 1 } };
    const outcome = await world.analyze({ id: name.replaceAll(/\W+/g, '-'), signature, model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer_source: 'final_answer' });
    expect(JSON.stringify(await world.answer(outcome))).toBe(JSON.stringify(answer));
    expect(heard.at(-1)).toMatch(told);
  });

  it('in text that are none are asked for again, and three that stay so are no answer', async () => {
    const cut: Reply = { text: 'It is 4', finishReason: 'length' };
    const withheld: Reply = { text: '', finishReason: 'content_filter' };
    const code = `Let me look.\n${fenced('print(x)')}`;
    const first = fenced('print("found 3")\nx = 1');
    const answers = await answersOf(
      'closing',
      [
        [first, '<think>It is 7.</think>\nIt is 8.'],
        [first, cut, 'It is 42.'],
        [first, withheld, 'It is 42.'],
        [first, code, 'It is 42.'],
        [first, '', 'FINAL(It is 42)'],
        [first, withheld],
        [first, code],
        [first, ''],
      ],
      { max_iterations: 1 },
    );
    const none = expect.stringMatching(/^Error: [^]*3 final answers could not be used/) as unknown;
    expect(answers).toEqual(['It is 8.', 'It is 42.', 'It is 42.', 'It is 42.', 'It is 42', none, none, none]);
  });

  it('that stay cut off complete no run', async () => {
    const heard: string[] = [];
    const closing: Reply = { text: 'It is', finishReason: 'length' };
    const outcome = await runOf('never', [fenced('print("found 3")'), closing], heard, 1);
    expect(outcome).toMatchObject({
      status: 'failed',
      answer_source: 'partial',
      answer: expect.stringContaining('found 3') as string,
      error: expect.stringMatching(
        /3 final answers could not be used\. .* of the last: Your answer was cut off/,
      ) as string,
    });
    expect(heard.at(-1)).toMatch(/cut off at the length limit\. Give it again, shorter/);
  });
});

async function runOf(
  id: string,
  replies: readonly Reply[],
  heard: string[] = [],
  max_iterations = 50,
): Promise<RunOutcome> {
  const model = await world.startModel({ scripts: playing(replies, heard) });
  return world.run({ id, prompt: 'What is the answer?', model, config: { rlm: { max_iterations } } });
}

it.concurrent('a run that ends without FINAL says where its answer comes from', async () => {
  const notes = [expect.stringContaining('did not call FINAL') as string];
  const text = await runOf('text', ['I think.', 'I think so.', '<think>Hm.</think>It is 7.']);
  expect(text).toMatchObject({ status: 'completed', answer: 'It is 7.', answer_source: 'text', notes });
  const asked = await runOf('asked', [fenced('print(1)'), 'It is 8.'], [], 1);
  expect(asked).toMatchObject({ status: 'completed', answer: 'It is 8.', answer_source: 'final_answer', notes });
});

it.concurrent('reasoning is kept apart, and never sent again', async () => {
  const heard: string[] = [];
  const sent: string[] = [];
  const play = playing([`<think>secret thought</think>${fenced('x = 1')}`, fenced('FINAL("done")')], heard);
  const model = await world.startModel({
    scripts: (conversation) => {
      sent.push(...conversation.messages.map(({ content }) => content));
      return play(conversation);
    },
  });
  await world.run({ id: 'apart', prompt: 'Think.', model });
  expect(sent.join('\n')).not.toContain('secret thought');
  const [root] = await world.agents('apart');
  const records = await world.chains.walk(root?.head ?? '');
  expect(records.filter(({ kind }) => kind === 'reply')).toMatchObject([
    { text: fenced('x = 1'), reasoning: 'secret thought' },
    { text: fenced('FINAL("done")') },
  ]);
});

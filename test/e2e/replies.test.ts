import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AnswerSource, RunOutcome } from '../../src/domain/records.ts';
import type { Conversation, Reply, ScriptFunction } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Replies as models write them, and what must come of them. */
interface Case {
  /** Of a typed analysis; with `prompt` in its place a run on a repository. */
  readonly signature?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** Turn by turn; the last one repeats where it is asked for again. */
  readonly replies: readonly Reply[];
  /** As JSON: the order of keys counts. Of a run on a repository the text. */
  readonly answer: unknown;
  readonly source?: AnswerSource;
  /** What the model must have been told. */
  readonly told?: RegExp;
  readonly max_iterations?: number;
}

const TEXT = { signature: 'text -> answer: str', inputs: { text: 'abcde' } };
const fenced = (code: string, language = 'python'): string => `\`\`\`${language}\n${code}\n\`\`\``;
const submit = (value: string): string => fenced(`SUBMIT(answer=${value})`);
const UNSEEN = /Not finished: an earlier block of the same reply had printed something/;
const NO_TOOLS = /There are no tools to call here/;

const KINDS: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'what the model has not seen cannot be the basis of FINAL': {
    'made-up output, then SUBMIT': {
      ...TEXT,
      replies: [`${fenced('print(len(text))')}\n\nOutput:\n999\n\n${submit('chr(57)*3')}`, submit('str(len(text))')],
      answer: { answer: '5' },
      told: UNSEEN,
    },
    'an echoed value': {
      ...TEXT,
      replies: [`${fenced('len(text)')}\n${submit('"999"')}`, submit('"seen"')],
      answer: { answer: 'seen' },
      told: UNSEEN,
    },
    'output on stderr': {
      ...TEXT,
      replies: [`${fenced('import sys\nprint("x", file=sys.stderr)')}\n${submit('"999"')}`, submit('"seen"')],
      answer: { answer: 'seen' },
      told: UNSEEN,
    },
    'of the first of three blocks': {
      ...TEXT,
      replies: [`${fenced('print(1)')}\n${fenced('x = 1')}\n${submit('"999"')}`, submit('"seen"')],
      answer: { answer: 'seen' },
      told: UNSEEN,
    },
    FINAL_VAR: {
      ...TEXT,
      replies: [`${fenced('print(1)\nanswer = "999"')}\n${fenced('FINAL_VAR("answer")')}`, submit('"seen"')],
      answer: { answer: 'seen' },
      told: UNSEEN,
    },
    'FINAL as text behind the code': {
      ...TEXT,
      replies: [`${fenced('print(len(text))')}\n\nFINAL("999")`, submit('"seen"')],
      answer: { answer: 'seen' },
      told: UNSEEN,
    },
    'although the code swallows it; and blocks behind it do not run': {
      ...TEXT,
      replies: [
        `${fenced('print(1)')}\n${fenced('try:\n    SUBMIT(answer="999")\nexcept BaseException:\n    pass')}\n${fenced('late = 1')}`,
        submit('str("late" in globals())'),
      ],
      answer: { answer: 'False' },
      told: /Stopped there: 1 more not run/,
    },
  },
  'silent blocks have shown nothing': {
    'two blocks': {
      ...TEXT,
      replies: [`${fenced('n = len(text)')}\n\n${submit('str(n)')}`],
      answer: { answer: '5' },
    },
    'output in the block itself': {
      ...TEXT,
      replies: [fenced('print(1)\nSUBMIT(answer="x")')],
      answer: { answer: 'x' },
    },
    'blank lines': { ...TEXT, replies: [`${fenced('print("\\n")')}\n${submit('"x"')}`], answer: { answer: 'x' } },
    'three blocks': {
      ...TEXT,
      replies: [`${fenced('a = 1')}\n${fenced('b = 2')}\n${submit('str(a + b)')}`],
      answer: { answer: '3' },
    },
    'output of the turn before': { ...TEXT, replies: [fenced('print(1)'), submit('"x"')], answer: { answer: 'x' } },
    'output that goes to a file': {
      ...TEXT,
      replies: [`${fenced('print("x", file=open("f", "w"))')}\n${submit('"x"')}`],
      answer: { answer: 'x' },
    },
  },
  'leading reasoning is no code': {
    think: {
      ...TEXT,
      replies: [`<think>\nMaybe\n${submit('chr(49)')}\n</think>\nNow really:\n${submit('chr(50)')}`],
      answer: { answer: '2' },
    },
    thinking: {
      ...TEXT,
      replies: [`\n<thinking>${submit('"1"')}</thinking>${submit('"2"')}`],
      answer: { answer: '2' },
    },
    'two parts': {
      ...TEXT,
      replies: [`<think>a</think>\n<think>${submit('"1"')}</think>\n${submit('"2"')}`],
      answer: { answer: '2' },
    },
    'never closed': { ...TEXT, replies: [`<think>\n${submit('"1"')}`, submit('"2"')], answer: { answer: '2' } },
    'nothing else': {
      ...TEXT,
      replies: ['<think>Hm.</think>', submit('"2"')],
      answer: { answer: '2' },
      told: /no ```python/,
    },
    'in an answer of llm_query': {
      ...TEXT,
      replies: [submit('llm_query("PING")')],
      answer: { answer: 'PONG' },
    },
    'in a final answer': {
      replies: [fenced('x = 1'), '<think>It is 7.</think>\nIt is 8.'],
      answer: 'It is 8.',
      source: 'final_answer',
      max_iterations: 1,
    },
  },
  'a closing tag alone': {
    'all before it': {
      ...TEXT,
      replies: [`some thoughts\n${submit('chr(49)')}\n</think>\n${submit('chr(50)')}`],
      answer: { answer: '2' },
    },
    'at the end of a line': {
      ...TEXT,
      replies: [`${submit('"1"')} so.</think>\n${submit('"2"')}`],
      answer: { answer: '2' },
    },
    'of thinking': { ...TEXT, replies: [`${submit('"1"')}\n</thinking>\n\n${submit('"2"')}`], answer: { answer: '2' } },
    'behind code that was not closed': {
      ...TEXT,
      replies: [`Try\n\`\`\`python\nSUBMIT(\n</think>\n${submit('"2"')}`],
      answer: { answer: '2' },
    },
    'first of all': { ...TEXT, replies: [`</think>\n${submit('"2"')}`], answer: { answer: '2' } },
  },
  'tags that are content': {
    'both in a string': {
      ...TEXT,
      replies: [submit('"the tag <think> opens, </think> closes"')],
      answer: { answer: 'the tag <think> opens, </think> closes' },
    },
    'a closing one in a string': { ...TEXT, replies: [submit('"</think>"')], answer: { answer: '</think>' } },
    'on lines of a long string': {
      ...TEXT,
      replies: [submit('"""<think>\n</think>\n"""')],
      answer: { answer: '<think>\n</think>\n' },
    },
    'in prose': { ...TEXT, replies: [`The tag </think> ends it.\n${submit('"x"')}`], answer: { answer: 'x' } },
    'behind the code': { ...TEXT, replies: [`${submit('"x"')}\nNot the \`</think>\` tag.`], answer: { answer: 'x' } },
  },
  'a fence in a string': {
    'of lines': {
      ...TEXT,
      replies: [fenced('readme = """# Title\n```bash\nmake\n```\nend"""\nSUBMIT(answer=readme.splitlines()[-1])')],
      answer: { answer: 'end' },
    },
    'in apostrophes': {
      ...TEXT,
      replies: [fenced("s = '''\n```\nend'''\nSUBMIT(answer=s[-3:])")],
      answer: { answer: 'end' },
    },
    'of one line': { ...TEXT, replies: [submit('"a ``` b"')], answer: { answer: 'a ``` b' } },
    'with Python in it': {
      ...TEXT,
      replies: [fenced('s = """\n```python\nSUBMIT(answer="inner")\n```\n"""\nSUBMIT(answer=str(s.count("`")))')],
      answer: { answer: '6' },
    },
    indented: {
      ...TEXT,
      replies: [
        '1. So:\n   ```python\n   s = """\n   ```\n   end"""\n   SUBMIT(answer=s[-3:])\n   ```\n2. Then I am done.',
      ],
      answer: { answer: 'end' },
    },
    'a string that is never closed: the first fence wins': {
      ...TEXT,
      replies: [`${fenced('s = """never')}\nText.`, submit('"x"')],
      answer: { answer: 'x' },
      told: /SyntaxError: unterminated triple-quoted string/,
    },
  },
  'a closing fence that is not on its line': {
    'behind the code': { ...TEXT, replies: ['```python\nSUBMIT(answer="x")```'], answer: { answer: 'x' } },
    'with blanks': { ...TEXT, replies: ['```python\nSUBMIT(answer="x") ``` \n'], answer: { answer: 'x' } },
    'behind a comment': { ...TEXT, replies: ['```python\nSUBMIT(answer="x")  # done```'], answer: { answer: 'x' } },
    'all on one line': { ...TEXT, replies: ['```python SUBMIT(answer="x")```'], answer: { answer: 'x' } },
    'prose behind it': { ...TEXT, replies: ['```python\nSUBMIT(answer="x")``` That is it.'], answer: { answer: 'x' } },
    'none at all': { ...TEXT, replies: ['```python\nSUBMIT(answer="x")'], answer: { answer: 'x' } },
  },
  'markers behind a fence': Object.fromEntries(
    ['<end_code>', '<end_action>', '</s>', '<|im_end|>', ' <|eot_id|>', '<eos>'].map((marker): [string, Case] => [
      marker,
      { ...TEXT, replies: [`${submit('"x"')}${marker}`], answer: { answer: 'x' } },
    ]),
  ),
  'prose before a fence on its line': {
    words: { ...TEXT, replies: [`Here it is: ${submit('"x"')}`], answer: { answer: 'x' } },
    'a list item': {
      ...TEXT,
      replies: ['- ```python\n  if True:\n      SUBMIT(answer="x")\n  ```'],
      answer: { answer: 'x' },
    },
    'a number': { ...TEXT, replies: ['2) ```python\n   SUBMIT(answer="x")\n   ```'], answer: { answer: 'x' } },
    'code in the words': { ...TEXT, replies: [`With \`text\` known: ${submit('"x"')}`], answer: { answer: 'x' } },
    'behind another block': {
      ...TEXT,
      replies: [`${fenced('x = "x"')} and then ${submit('x')}`],
      answer: { answer: 'x' },
    },
    'only spoken of': {
      ...TEXT,
      replies: ['I shall write a ```python block next.', submit('"x"')],
      answer: { answer: 'x' },
      told: /no ```python block/,
    },
  },
  'FINAL as text': {
    'a sentence': { replies: ['FINAL(The answer is 42)'], answer: 'The answer is 42' },
    'that is Python': { replies: ['I know it.\n\nFINAL("42" + "!")'], answer: '42!' },
    'several lines': { replies: ['FINAL(one\ntwo (2)\nthree)'], answer: 'one\ntwo (2)\nthree' },
    'in bold type': { replies: ['**FINAL(It is so.)**'], answer: 'It is so.' },
    'in a fence of its own': { replies: ['```\nFINAL(It is so.)\n```'], answer: 'It is so.' },
    'quotes that do not match': { replies: ['FINAL("He said "no" twice")'], answer: 'He said "no" twice' },
    'behind a block that failed it does not count': {
      replies: [`${fenced('1/0')}\nFINAL(wrong)`, 'FINAL(That is right)'],
      answer: 'That is right',
      told: /ZeroDivisionError[^]*Stopped there: 1 more not run/,
    },
    'in an analysis': { ...TEXT, replies: ['FINAL(It is the x)'], answer: { answer: 'It is the x' } },
    SUBMIT: { ...TEXT, replies: ['SUBMIT(answer="x")'], answer: { answer: 'x' } },
    'a name that is not there is an error of the code': {
      replies: ['FINAL(Paris)', 'FINAL("Paris")'],
      answer: 'Paris',
      told: /NameError: name 'Paris' is not defined/,
    },
    'of the wrong type': {
      signature: 'text -> n: int',
      inputs: { text: 'a' },
      replies: ['FINAL(about three)', 'FINAL(3)'],
      answer: { n: 3 },
      told: /n: expected int, got str 'about three'/,
    },
  },
  'FINAL_VAR as text': {
    'a name': { replies: [fenced('result = 6 * 7'), 'FINAL_VAR(result)'], answer: '42' },
    'in quotes': { replies: [fenced('result = 6 * 7'), 'FINAL_VAR("result")'], answer: '42' },
    'behind its block': { replies: [`${fenced('result = "x"', 'repl')}\n\nFINAL_VAR(result)`], answer: 'x' },
    'an expression': { replies: [fenced('found = ["x", "y"]'), 'FINAL_VAR(found[-1])'], answer: 'y' },
    'of no variable': {
      replies: ['FINAL_VAR(nothing)', 'FINAL(There is none)'],
      answer: 'There is none',
      told: /FINAL_VAR: there is no variable 'nothing'/,
    },
    'a list': { replies: [fenced('found = ["x", 1]'), 'FINAL_VAR(found)'], answer: '["x",1]' },
  },
  'await at the top level': {
    'of a coroutine': {
      ...TEXT,
      replies: [
        fenced(
          "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 'ok'\nx = await f()\nSUBMIT(answer=x)",
        ),
      ],
      answer: { answer: 'ok' },
    },
    'many questions at once': {
      ...TEXT,
      replies: [
        fenced(
          'import asyncio\nanswers = await asyncio.gather(*(asyncio.to_thread(llm_query, "PING") for _ in range(3)))',
        ),
        submit('" ".join(answers)'),
      ],
      answer: { answer: 'PONG PONG PONG' },
    },
    'a task that goes on in a later block': {
      ...TEXT,
      replies: [
        fenced(
          'import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return "ok"\ntask = asyncio.create_task(f())',
        ),
        submit('await task'),
      ],
      answer: { answer: 'ok' },
    },
    'SUBMIT in a coroutine': {
      ...TEXT,
      replies: [fenced('async def f():\n    SUBMIT(answer="x")\nawait f()')],
      answer: { answer: 'x' },
    },
    'beside asyncio.run': {
      ...TEXT,
      replies: [
        fenced(
          'import asyncio\nasync def f(x): return x\na = await f("a")\nb = asyncio.run(f("b"))\nSUBMIT(answer=a + b)',
        ),
      ],
      answer: { answer: 'ab' },
    },
    'the last expression': {
      ...TEXT,
      replies: [fenced('async def f(): return 5\nawait f()'), submit('"x"')],
      answer: { answer: 'x' },
      told: /\n5\n/,
    },
  },
  'keys keep their order': {
    'of a dict': {
      signature: 'text -> scores: dict[str, int]',
      inputs: { text: 'a' },
      replies: [fenced('SUBMIT(scores={"zoe": 9, "bob": 5, "amy": 1})')],
      answer: { scores: { zoe: 9, bob: 5, amy: 1 } },
    },
    'of rows': {
      signature: '-> rows: list[dict]',
      replies: [fenced('SUBMIT(rows=[{"z": 1, "a": 2}, {"m": 1, "b": {"y": 1, "x": 2}}])')],
      answer: {
        rows: [
          { z: 1, a: 2 },
          { m: 1, b: { y: 1, x: 2 } },
        ],
      },
    },
    'of objects with types': {
      signature: '-> row: {a: int, b: int}',
      replies: [fenced('SUBMIT(row={"b": 1, "a": 2})')],
      answer: { row: { b: 1, a: 2 } },
    },
    'of fields: as in the signature': {
      signature: '-> b: int, a: int',
      replies: [fenced('SUBMIT(a=1, b=2)')],
      answer: { b: 2, a: 1 },
    },
    'of what sub-agents are given and give': {
      signature: '-> answer: str',
      replies: [submit('rlm_query("give it back", given={"z": 1, "a": 2})')],
      answer: { answer: '{"z":1,"a":2}' },
    },
    'of FINAL': {
      replies: [fenced('FINAL({"z": 1, "a": [{"y": 1, "x": 2}]})')],
      answer: '{"z":1,"a":[{"y":1,"x":2}]}',
    },
    'of a final answer': {
      signature: '-> scores: dict[str, int]',
      replies: [fenced('x = 1'), '{"scores": {"zoe": 9, "amy": 1}}'],
      answer: { scores: { zoe: 9, amy: 1 } },
      source: 'final_answer',
      max_iterations: 1,
    },
  },
  'final answers that are almost JSON': Object.fromEntries(
    [
      '{"n": 3, "s": "three",}',
      "{'n': 3, 's': 'three'}",
      '```json\n{"n": 3, "s": "three",}\n```',
      'It is {n: 3, s: "three"}, I think.',
      '{"n": 3, // counted\n "s": "three"}',
      '<think>{"n": 1}</think>{"n": 3, "s": "three"',
    ].map((closing): [string, Case] => [
      closing,
      {
        signature: 'text -> n: int, s: str',
        inputs: { text: 'a' },
        replies: [fenced('x = 1'), closing],
        answer: { n: 3, s: 'three' },
        source: 'final_answer',
        max_iterations: 1,
      },
    ]),
  ),
  'final answers that are none are asked for again': {
    'not JSON': {
      signature: '-> n: int',
      replies: [fenced('x = 1'), 'I think {three} it is', '{"n": 3}'],
      answer: { n: 3 },
      source: 'final_answer',
      told: /not JSON at line 1, column 2/,
      max_iterations: 1,
    },
    "Python's constants": {
      signature: '-> flag: bool, note: str | None',
      replies: [fenced('x = 1'), '{"flag": True, "note": None}'],
      answer: { flag: true, note: null },
      source: 'final_answer',
      max_iterations: 1,
    },
    'cut off': {
      replies: [fenced('x = 1'), { text: 'It is 4', finishReason: 'length' }, 'It is 42.'],
      answer: 'It is 42.',
      source: 'final_answer',
      told: /cut off at the length limit\. Give it again, shorter/,
      max_iterations: 1,
    },
    withheld: {
      replies: [fenced('x = 1'), { text: '', finishReason: 'content_filter' }, 'It is 42.'],
      answer: 'It is 42.',
      source: 'final_answer',
      told: /withheld by the provider's content filter/,
      max_iterations: 1,
    },
    'more code': {
      replies: [fenced('x = 1'), `Let me look.\n${fenced('print(x)')}`, 'It is 42.'],
      answer: 'It is 42.',
      source: 'final_answer',
      told: /no code is run any more/,
      max_iterations: 1,
    },
    empty: {
      replies: [fenced('x = 1'), '', 'FINAL(It is 42)'],
      answer: 'It is 42',
      source: 'final_answer',
      told: /Your answer was empty/,
      max_iterations: 1,
    },
  },
  'tool calls that were not offered': Object.fromEntries(
    [
      '<tool_call>{"name": "python", "arguments": {"code": "1+1"}}</tool_call>',
      '<function_call>python(1)</function_call>',
      '{"name": "python", "arguments": {"code": "1+1"}}',
      '```json\n{"tool": "python", "input": "1+1"}\n```',
      'I will look.\n<function=python>{"code": "1"}</function>',
      '[TOOL_CALLS] [{"name": "python", "arguments": {}}]',
    ].map((call): [string, Case] => [
      call,
      {
        ...TEXT,
        // Three replies without code would end it.
        replies: [call, call, call, call, submit('"x"')],
        answer: { answer: 'x' },
        told: NO_TOOLS,
      },
    ]),
  ),
  'languages of fences': Object.fromEntries(
    ['tool_code', 'ipython', 'python3', '{python}', 'repl', 'py', 'Python', '{.python}'].map(
      (language): [string, Case] => [
        language,
        { ...TEXT, replies: [fenced('SUBMIT(answer="x")', language)], answer: { answer: 'x' } },
      ],
    ),
  ),
  'marks before a fence': {
    'a byte order mark': { ...TEXT, replies: [`\uFEFF${submit('"x"')}`], answer: { answer: 'x' } },
    'one in the middle': { ...TEXT, replies: [`So:\n\uFEFF${submit('"x"')}`], answer: { answer: 'x' } },
    tildes: { ...TEXT, replies: ['~~~python\nSUBMIT(answer="x")\n~~~'], answer: { answer: 'x' } },
    'carriage returns': { ...TEXT, replies: [submit('"x"').replaceAll('\n', '\r\n')], answer: { answer: 'x' } },
    'four backticks': { ...TEXT, replies: [`\`${submit('"""\n```\n"""[-2]')}\``], answer: { answer: '`' } },
  },
};

describe.concurrent('replies as models write them', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  const cases = Object.entries(KINDS).flatMap(([kind, group], at) =>
    Object.entries(group).map(([name, each], index): [string, string, Case] => [
      `${kind}: ${name}`,
      `${at}-${index}`,
      each,
    ]),
  );

  it.each(cases)('%s', async (_name, id, { replies, answer, source = 'final', told, ...each }) => {
    const seen: string[] = [];
    const model = await world.startModel({ scripts: playing(replies, seen) });
    const { signature, inputs = {}, max_iterations } = each;
    const config = max_iterations === undefined ? {} : { config: { rlm: { max_iterations } } };
    const outcome =
      signature === undefined
        ? await world.run({ id, prompt: 'What is the answer?', model, ...config })
        : await world.analyze({ id, signature, inputs, model, ...config });
    expect(outcome).toMatchObject({ status: 'completed', error: null, answer_source: source });
    const given = signature === undefined ? outcome.answer : JSON.stringify(await world.answer(outcome));
    expect(given).toBe(signature === undefined ? answer : JSON.stringify(answer));
    if (told !== undefined) expect(seen.join('\n')).toMatch(told);
  });
});

/** @param seen takes what the root was told, message by message */
function playing(replies: readonly Reply[], seen: string[]): ScriptFunction {
  return (conversation) => {
    if (isQuestion(conversation)) return '<think>Table tennis?</think>\nPONG';
    if (conversation.opening.includes('give it back')) return fenced('FINAL(given)');
    seen.push(conversation.last);
    return replies[Math.min(conversation.turn, replies.length - 1)];
  };
}

function isQuestion({ messages }: Conversation): boolean {
  return messages.length === 1;
}

describe.concurrent('a run that ends without FINAL', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  async function runOn(id: string, replies: readonly Reply[], max_iterations = 50): Promise<RunOutcome> {
    const model = await world.startModel({ scripts: playing(replies, []) });
    return world.run({ id, prompt: 'What is the answer?', model, config: { rlm: { max_iterations } } });
  }

  it('says where its answer comes from', async () => {
    const text = await runOn('text', ['I think.', 'I think so.', '<think>Hm.</think>It is 7.']);
    expect(text).toMatchObject({
      status: 'completed',
      answer: 'It is 7.',
      answer_source: 'text',
      notes: [expect.stringContaining('did not call FINAL')],
    });
    const extract = await runOn('extract', [fenced('print(1)'), 'It is 8.'], 1);
    expect(extract).toMatchObject({
      status: 'completed',
      answer: 'It is 8.',
      answer_source: 'final_answer',
      notes: [expect.stringContaining('did not call FINAL')],
    });
  });

  it.each<[string, Reply]>([
    ['cut off', { text: 'It is', finishReason: 'length' }],
    ['withheld', { text: '', finishReason: 'content_filter' }],
    ['code', fenced('print(1)')],
    ['empty', ''],
  ])('is not completed by a final answer that stays %s', async (name, closing) => {
    const outcome = await runOn(`never-${name.replace(' ', '-')}`, [fenced('print("found 3")'), closing], 1);
    expect(outcome).toMatchObject({
      status: 'failed',
      answer_source: 'partial',
      answer: expect.stringContaining('found 3'),
      error: expect.stringContaining('3 final answers could not be used'),
    });
  });

  it('keeps the reasoning apart, and never sends it again', async () => {
    const sent: string[] = [];
    const replies = [`<think>secret thought</think>${fenced('x = 1')}`, fenced('FINAL("done")')];
    const script = playing(replies, []);
    const model = await world.startModel({
      scripts: (conversation) => {
        sent.push(...conversation.messages.map(({ content }) => content));
        return script(conversation);
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
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { withCode, type Conversation } from '../../src/testing/index.ts';
import { tool, toolsOf } from '../../src/tools/index.ts';
import { itLong, sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 90_000 });

const MEGABYTES = 50;
const given: unknown[] = [];
const TOOLS = {
  echo: tool({
    description: 'Returns what it is given.',
    parameters: z.object({ value: z.any() }),
    run: ({ value }) => {
      given.push(value);
      return value as unknown;
    },
  }),
  length: tool({
    description: 'Characters of a text.',
    parameters: z.object({ text: z.string() }),
    run: ({ text }) => text.length,
  }),
  long: tool({
    description: 'A long text.',
    parameters: z.object({ megabytes: z.int() }),
    run: ({ megabytes }) => 'é'.repeat(megabytes * 500_000),
  }),
  things: tool({
    description: 'What JavaScript has and JSON has not.',
    parameters: z.object({}),
    run: () => ({ date: new Date(0), nothing: undefined, big: 2n ** 60n, half: '\ud800', nested: [[null], {}] }),
  }),
  broken: tool({
    description: 'Always fails.',
    parameters: z.object({}),
    attempts: 1,
    run: () => {
      throw new Error('it is broken');
    },
  }),
};

/** Values in Python, and what they are when they have been JSON. */
const VALUES: readonly (readonly [what: string, python: string, json: unknown])[] = [
  ['unicode', '"é 漢字 🐍 \\u200b"', 'é 漢字 🐍 \u200b'],
  ['a control character', '"\\x00\\x1b[0m"', '\u0000\u001b[0m'],
  ['nested None', '[None, {"a": [None]}]', [null, { a: [null] }]],
  ['an int beyond 2^53', '2**60', String(2n ** 60n)],
  ['a tuple', '(1, ("a", 2.5))', [1, ['a', 2.5]]],
  ['empty lists', '[[], {}, ""]', [[], {}, '']],
  ['a bool and an int', '[True, 1, 1.0]', [true, 1, 1]],
  ['a datetime', '__import__("datetime").datetime(2026, 1, 2, 3, 4, 5)', '2026-01-02T03:04:05'],
];

describe.concurrent('awkward values', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker({ tools: toolsOf(TOOLS) });
  });
  afterAll(() => world.close());

  /** Runs the code of one block, which submits; what it asks the model is answered by `answer`. */
  async function analyze(
    id: string,
    signature: string,
    code: string,
    answer: (conversation: Conversation) => string = ({ last }) => last,
  ): Promise<unknown> {
    const model = await world.startModel({
      scripts: (conversation) =>
        conversation.messages.length === 1
          ? answer(conversation)
          : conversation.turn === 0
            ? withCode(code)
            : withCode(`SUBMIT(**{name: repr(${JSON.stringify(conversation.last)}) for name in ["out"]})`),
    });
    const outcome = await world.analyze({ id, signature, model });
    expect(outcome).toMatchObject({ status: 'completed', error: null });
    return world.answer(outcome);
  }

  it.each(
    sized(
      [VALUES[0], VALUES[2], VALUES[3], VALUES[7]].filter((value) => value !== undefined),
      VALUES,
    ),
  )('%s goes through SUBMIT, FINAL_VAR and a tool and back', async (what, python, json) => {
    const id = what.replaceAll(/\W/g, '-');
    const code = `value = ${python}\nback = echo(value)\nSUBMIT(out=[value, back])`;
    expect(await analyze(`submit-${id}`, '-> out: Any', code)).toEqual({ out: [json, json] });
    expect(given).toContainEqual(json);
    expect(await analyze(`final-${id}`, '-> out: Any', `value = ${python}\nFINAL_VAR("value")`)).toEqual({ out: json });
  });

  it('a dataclass is a dict', async () => {
    const code = `import dataclasses
@dataclasses.dataclass
class Point:
    x: int
    y: list
SUBMIT(out=[Point(1, [None]), echo(Point(2, []))])`;
    const points = [
      { x: 1, y: [null] },
      { x: 2, y: [] },
    ];
    expect(await analyze('dataclass', '-> out: Any', code)).toEqual({ out: points });
  });

  it('bytes, NaN, sets and cycles are refused with a sentence that says what to do', async () => {
    const code = `import math
said = []
cycle = []
cycle.append(cycle)
for value in (b"x", math.nan, {1}, cycle):
    try:
        echo(value)
    except (TypeError, ValueError) as error:
        said.append(str(error))
SUBMIT(out=said)`;
    const { out } = (await analyze('refused', '-> out: list[str]', code)) as { out: string[] };
    expect(out).toHaveLength(4);
    expect(out[0]).toMatch(/bytes/);
    expect(out[1]).toMatch(/nan/i);
    expect(out[2]).toMatch(/set/);
    expect(out[3]).toMatch(/itself|circular|cycle/i);
  });

  it('text of any kind goes to a model and back', async () => {
    const code = `prompts = ["é 漢字 🐍", "", "half \\ud800", "\\x00", "x" * 100_000]
answers = llm_query_batched(prompts)
SUBMIT(out=[len(a) for a in answers] + [answers[0], answers[3]])`;
    expect(await analyze('prompts', '-> out: list', code)).toEqual({
      // An empty answer is an error string.
      out: [6, 'Error: the model gave no answer'.length, 11, 1, 100_000, 'é 漢字 🐍', '\u0000'],
    });
  });

  it('what JavaScript has comes as what Python can use; what fails comes as a text', async () => {
    const code = `SUBMIT(out=[things(), broken(), length(text=3), type(things()["nested"]).__name__])`;
    const { out } = (await analyze('things', '-> out: list', code)) as { out: unknown[] };
    expect(out[0]).toEqual({
      date: '1970-01-01T00:00:00.000Z',
      nothing: null,
      big: String(2n ** 60n),
      half: String.raw`\ud800`,
      nested: [[null], {}],
    });
    expect(out[1]).toBe('Error: broken: it is broken');
    expect(String(out[2])).toMatch(/^Error: .*text/s);
    expect(out[3]).toBe('list');
  });

  itLong(`${MEGABYTES} MB go through a tool, both ways, and through SUBMIT`, async () => {
    const code = `text = "é" * ${MEGABYTES / 2}_000_000
SUBMIT(out=text, sent=length(text), got=len(long(${MEGABYTES})))`;
    const fields = (await analyze('megabytes', '-> out: str, sent: int, got: int', code)) as { out: string };
    expect(fields).toMatchObject({ sent: MEGABYTES * 500_000, got: MEGABYTES * 500_000 });
    expect(fields.out.length).toBe(MEGABYTES * 500_000);
  });
});

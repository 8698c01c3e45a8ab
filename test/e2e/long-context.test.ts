import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KINDS } from '../../bench/long-context/messages.ts';
import type { Reading } from '../../bench/long-context/reader.ts';
import { longContextScripts } from '../../bench/long-context/scripts.ts';
import type { LongContextTask } from '../../bench/long-context/task.ts';
import { TASKS } from '../../bench/long-context/tasks.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import type { Conversation } from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Characters of the longest request that a root may make, whatever the size of its document. */
const ROOT_REQUEST = 12_000;
const SMALL = 2 ** 13;
const LARGE = 2 ** 16;
/** With it every task of the larger size has an answer that is cut short. */
const SEED = 1;

function made(name: string, tokens: number, seed = SEED): LongContextTask {
  const make = TASKS[name];
  if (make === undefined) throw new Error(`there is no task ${name}`);
  return make({ tokens, seed });
}

function charactersOf({ messages }: Conversation): number {
  return messages.reduce((sum, { content }) => sum + content.length, 0);
}

describe.concurrent('an analysis of a long document', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  async function solve(id: string, task: LongContextTask, reading: Reading = {}) {
    const script = longContextScripts(reading);
    const asked: Conversation[] = [];
    const model = await world.startModel({
      scripts: (conversation) => {
        if (conversation.opening.startsWith('You are an analyst')) asked.push(conversation);
        return script(conversation);
      },
    });
    const { signature, instructions, inputs } = task;
    const config = { rlm: { on_error: 'fail' } };
    const outcome: RunOutcome = await world.analyze({ id, signature, instructions, inputs, model, config });
    const { messages = [] } = asked.at(-1) ?? {};
    const root = {
      longest: Math.max(...asked.map((conversation) => charactersOf(conversation))),
      said: messages.filter(({ role }) => role === 'assistant').map(({ content }) => content),
      saw: messages.filter(({ role }) => role === 'user').map(({ content }) => content),
    };
    return { outcome, answer: await world.answer(outcome), root, model };
  }

  it.for(sized(['needle-values', 'aggregation'], Object.keys(TASKS)))(
    'is right at any size, and costs what it takes to read it once: %s',
    async (name) => {
      const tasks = [made(name, SMALL), made(name, LARGE)] as const;
      const [small, large] = await Promise.all([solve(`${name}-small`, tasks[0]), solve(`${name}-large`, tasks[1])]);
      expect(small.answer).toEqual(tasks[0].expected);
      expect(large.answer).toEqual(tasks[1].expected);
      for (const { outcome, model, root } of [small, large]) {
        expect(outcome).toMatchObject({ status: 'completed', error: null, agents: 1, iterations: 4 });
        expect(outcome.usage.llm_calls).toBe(model.count());
        expect(model.unscripted()).toEqual([]);
        expect(root.longest).toBeLessThan(ROOT_REQUEST);
      }
      expect(large.outcome.usage.input_tokens).toBeGreaterThan(tasks[1].tokens);
      expect(large.outcome.usage.input_tokens).toBeLessThan(1.6 * tasks[1].tokens);
      // The answer is found, not known: what the root says is the same whatever the document holds.
      expect(large.root.said).toEqual(small.root.said);
      // Some answers end too early, and are asked for again.
      expect(large.root.saw.join('\n')).toContain('attempt 2');
    },
  );

  it.for(['needle-values', 'aggregation'])('is wrong where the model reads carelessly: %s', async (name) => {
    const task = made(name, SMALL);
    const { outcome, answer } = await solve(`${name}-careless`, task, { careless: true });
    expect(outcome.status).toBe('completed');
    expect(Object.keys(answer as object).toSorted()).toEqual(Object.keys(task.expected as object).toSorted());
    expect(answer).not.toEqual(task.expected);
  });
});

describe('a task with a long document', () => {
  it.each(Object.keys(TASKS))('is the same for the same seed and another for another: %s', (name) => {
    expect(made(name, SMALL, 5)).toEqual(made(name, SMALL, 5));
    expect(made(name, SMALL, 5).inputs).not.toEqual(made(name, SMALL, 6).inputs);
    expect(made(name, SMALL, 5).expected).not.toEqual(made(name, SMALL, 6).expected);
  });

  it.each(Object.keys(TASKS))('has the size that was asked for, or hardly less: %s', (name) => {
    for (const tokens of [SMALL, LARGE]) {
      const size = made(name, tokens).tokens;
      expect(size).toBeLessThanOrEqual(tokens);
      expect(size).toBeGreaterThan(0.99 * tokens);
    }
  });

  it('names no kind in its messages', () => {
    const { messages } = made('aggregation', LARGE).inputs as { messages: string[] };
    const named = messages.filter((message) => Object.keys(KINDS).some((kind) => message.toLowerCase().includes(kind)));
    expect(named).toEqual([]);
  });
});

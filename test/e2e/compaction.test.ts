import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ChainRecord } from '../../src/domain/records.ts';
import {
  killSwitchEnvironment,
  startScriptedModel,
  withCode,
  type Conversation,
  type PlannedKill,
  type Reply,
} from '../../src/testing/index.ts';
import { createDesk } from './command.ts';
import { itLong, sized } from '../sizes.ts';
import { createWorld, makeRepository, type World } from './world.ts';

vi.setConfig({ testTimeout: 60_000 });

const TURNS = sized(9, 12);
const isSummary = ({ last }: Conversation): boolean => last.includes('write a summary of all turns so far');
const sizeOf = ({ messages }: Conversation): number => messages.reduce((sum, { content }) => sum + content.length, 0);

/** Counts in a variable and prints much; finishes when it has counted to the end. */
function counting(conversation: Conversation): Reply {
  const seen = [
    ...conversation.messages
      .map(({ content }) => content)
      .join('\n')
      .matchAll(/count is (\d+)/g),
  ];
  const count = Number(seen.at(-1)?.[1] ?? 0);
  if (isSummary(conversation)) return `The variable count counts the turns; the count is ${count}.`;
  if (count === TURNS) return withCode('FINAL({"count": count, "first": first})');
  const setup = count === 0 ? 'count, first = 0, "kept"\n' : '';
  return withCode(`${setup}count += 1\nprint("count is", count, "x" * 3000)`);
}

itLong('a summary that was recorded when the process was killed is not paid again', async () => {
  const desk = await createDesk();
  const model = await startScriptedModel({ scripts: counting });
  try {
    const config = {
      model: { name: 'scripted', base_url: model.url, prices: { scripted: { input: 0, output: 0 } } },
      rlm: { compaction: 6000, output_limit: 4000, max_cost: 100 },
      ...desk.settings,
    };
    desk.configure(JSON.stringify(config));
    const plan = join(desk.folder, 'kills.json');
    writeFileSync(plan, JSON.stringify([{ point: 'summary.recorded', after: 1 }] satisfies PlannedKill[]));
    const repository = makeRepository(join(desk.folder, 'repository'), { 'a.txt': '' });
    const command = ['run', repository, '-p', 'count', '--id', 'killed', '--json'];
    expect((await desk.run(command, killSwitchEnvironment(plan))).code).toBeNull();
    const { stdout } = await desk.run(command);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      status: 'completed',
      answer: { count: TURNS, first: 'kept' },
    });
    expect(model.paidTwice()).toEqual([]);
  } finally {
    await desk.close();
    await model.close({ check: false });
  }
});

describe.concurrent('a conversation that nears its limit', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  async function records(run: string): Promise<ChainRecord[]> {
    const [root] = await world.agents(run);
    return world.chains.walk(root?.head ?? '');
  }

  it('continues from a summary of its older turns; variables and records stay', async () => {
    const conversations: Conversation[] = [];
    const model = await world.startModel({
      scripts: (conversation) => {
        conversations.push(conversation);
        return counting(conversation);
      },
    });
    const config = { rlm: { compaction: 6000, output_limit: 4000 } };
    const outcome = await world.run({ id: 'long', prompt: 'count', model, config });
    expect(outcome).toMatchObject({ status: 'completed', error: null, iterations: TURNS + 1 });
    expect(await world.answer(outcome)).toEqual({ count: TURNS, first: 'kept' });
    const chain = await records('long');
    const summaries = chain.filter(({ kind }) => kind === 'summary');
    expect(summaries.length).toBeGreaterThan(0);
    expect(chain.filter(({ kind }) => kind === 'block')).toHaveLength(TURNS + 1);
    // What the limit is, and the turn that may be beyond it.
    expect(Math.max(...conversations.map(sizeOf))).toBeLessThan(4 * 6000 + 8000);
    expect(conversations.at(-1)?.messages[2]?.content).toContain('all still there: count, first.');
    expect(model.count()).toBe(TURNS + 1 + summaries.length);
    expect(model.paidTwice()).toEqual([]);
    const asked = conversations.reduce((sum, each) => sum + Math.ceil(sizeOf(each) / 4), 0);
    expect(Math.abs(outcome.usage.input_tokens - asked)).toBeLessThan(conversations.length * 20);
  });

  itLong('also where the model finds it too long before', async () => {
    const model = await world.startModel({
      scripts: (conversation) =>
        sizeOf(conversation) > 24_000 && !isSummary(conversation)
          ? { error: { status: 400, body: { error: { message: 'too long', code: 'context_length_exceeded' } } } }
          : counting(conversation),
    });
    const outcome = await world.run({ id: 'small', prompt: 'count', model, config: { rlm: { output_limit: 4000 } } });
    expect(outcome).toMatchObject({ status: 'completed', error: null });
    expect(await world.answer(outcome)).toEqual({ count: TURNS, first: 'kept' });
    expect((await records('small')).some(({ kind }) => kind === 'summary')).toBe(true);
  });

  it('rebuilds its variables from the records, not from the summary', async () => {
    const wait = Promise.withResolvers<undefined>();
    const model = await world.startModel({
      scripts: async (conversation) => {
        const reply = counting(conversation);
        if (typeof reply === 'string' && reply.includes('FINAL')) await wait.promise;
        return reply;
      },
    });
    const config = { rlm: { compaction: 6000, output_limit: 4000 } };
    const handle = await world.start({ id: 'lost', prompt: 'count', model, config });
    await vi.waitFor(
      async () => expect((await records('lost')).filter(({ kind }) => kind === 'block')).toHaveLength(TURNS),
      {
        timeout: 30_000,
        interval: 100,
      },
    );
    await world.killSandbox('lost', '0');
    wait.resolve(undefined);
    const outcome = (await handle.result()) as Parameters<World['answer']>[0];
    expect(await world.answer(outcome)).toEqual({ count: TURNS, first: 'kept' });
  });
});

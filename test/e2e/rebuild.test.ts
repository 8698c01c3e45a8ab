import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RebuildRecord, RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type Conversation } from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { placeByEnvironment, processesWith } from './places.ts';
import { createWorld, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
}, 300_000);

afterAll(() => world.close());

const done = (expression: string): string => withCode(`FINAL(${expression})`);

/** A reply that comes when the sandbox of an agent of the run has been killed. */
const afterKilling =
  (run: string, reply: string, agent = '0') =>
  async (): Promise<string> => {
    await world.killSandbox(run, agent);
    return reply;
  };

async function rebuilds(run: string): Promise<RebuildRecord[]> {
  const root = (await world.agents(run)).find(({ agent }) => agent === '0');
  const records = await world.chains.walk(root?.head ?? '');
  return records.filter((record): record is RebuildRecord => record.kind === 'rebuild');
}

const AWKWARD = [
  'import itertools, threading, sys, pathlib\nsys.path.insert(0, ".")\nfrom pkg.a import one',
  'notes = open("notes.txt", "w+")\nnotes.write("first ")\ndouble = lambda v: v * 2',
  'counter = itertools.count(10)\ndef squares():\n    n = 1\n    while True:\n        yield n * n\n        n += 1\ng = squares()\nnext(g); next(g); next(counter)',
  'box = []\nlock = threading.Lock()\nworker = threading.Thread(target=lambda: box.append(threading.current_thread().name), name="helper")\nworker.start(); worker.join()',
  'print(edit_file("pkg/a.py", "return 1", "return 11"))\nclass Point:\n    def __init__(self, x): self.x = x\np = Point([1, {2}])\np.x.append(p)',
  'notes.write("second"); notes.flush()\nasked = llm_query("a question")\nprint(asked)',
];

const AWKWARD_ANSWER =
  '[one(), double(4), next(g), next(counter), box, lock.locked(), p.x[2] is p, (notes.seek(0), notes.read())[1], asked, pathlib.Path("pkg/a.py").read_text().count("return 11")]';
const AWKWARD_EXPECTED = [1, 8, 9, 11, ['helper'], false, true, 'first second', 'an answer', 1];

describe.concurrent('a sandbox that is lost', () => {
  it('is made again with every awkward kind of state, and no model is asked again', async () => {
    let told = '';
    const model = await world.startModel({
      scripts: [
        forTask('awkward', [
          ...AWKWARD.map((code) => withCode(code)),
          async ({ last }: Conversation) => {
            await world.killSandbox('awkward', '0');
            expect(last).not.toContain('made anew');
            return withCode('print("still here", len(box))');
          },
          ({ last }: Conversation) => {
            told = last;
            return done(AWKWARD_ANSWER);
          },
        ]),
        ({ opening }) => (opening.includes('a question') ? 'an answer' : undefined),
      ],
    });
    const outcome = await world.run({ id: 'awkward', prompt: 'awkward', model });
    expect(await world.answer(outcome)).toEqual(AWKWARD_EXPECTED);
    expect(told).toContain('still here 1');
    expect(told).toMatch(/\(The sandbox was lost and rebuilt: the 6 blocks so far ran again.*everything is as it was/);
    expect(outcome).toMatchObject({ status: 'completed', sandboxes: 2, usage: { llm_calls: AWKWARD.length + 3 } });
    expect((await world.patch(outcome)).toString()).toContain('+    return 11');
    expect(model.count()).toBe(AWKWARD.length + 3);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('in the middle of a block: calls that were answered are answered again, one under way is awaited', async () => {
    const asked: string[] = [];
    const model = await world.startModel({
      scripts: [
        forTask('middle', [
          withCode('x = 5'),
          withCode('a = llm_query("q one")\nb = llm_query("q two")\nc = llm_query_batched(["q three", "q four"])'),
          done('[x, a, b, c]'),
        ]),
        async ({ opening }) => {
          const [question] = /q (one|two|three|four)/.exec(opening) ?? [];
          if (question === undefined) return undefined;
          asked.push(question);
          if (question === 'q two') await world.killSandbox('middle', '0');
          return `to ${question}`;
        },
      ],
    });
    const outcome = await world.run({ id: 'middle', prompt: 'middle', model });
    expect(await world.answer(outcome)).toEqual([5, 'to q one', 'to q two', ['to q three', 'to q four']]);
    expect(asked.toSorted()).toEqual(['q four', 'q one', 'q three', 'q two']);
    expect(await rebuilds('middle')).toMatchObject([{ generation: 1, repeated: [1], differences: [] }]);
    await model.close();
  });

  it('while sub-agents work for it: they go on, and their answers arrive', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('parent', [
          withCode('y = 1\nanswers = rlm_query_batched(["child a", "child b"])'),
          done('[y, answers]'),
        ]),
        forTask(/child a/, [afterKilling('parent', done('"from a"'))]),
        forTask(/child b/, [done('"from b"')]),
      ],
    });
    const outcome = await world.run({ id: 'parent', prompt: 'parent', model });
    expect(await world.answer(outcome)).toEqual([1, ['from a', 'from b']]);
    expect(outcome).toMatchObject({ status: 'completed', agents: 3, sandboxes: 4 });
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  });

  it('tells the model what is not as before', async () => {
    let told = '';
    const model = await world.startModel({
      scripts: forTask('drift', [
        withCode('import os\nprint(sorted(os.listdir("/tmp")), os.urandom(4).hex())'),
        afterKilling('drift', withCode('1')),
        ({ last }) => {
          told = last;
          return done('"ok"');
        },
      ]),
    });
    await world.run({ id: 'drift', prompt: 'drift', model });
    expect(told).toContain('Not as before: the block of turn 1 printed something else.');
    await model.close();
  });

  it('ends its agent when the budget has no sandbox left for it, with what there is', async () => {
    const model = await world.startModel({
      scripts: forTask('poor', [withCode('print("found so far")'), afterKilling('poor', withCode('1'))]),
    });
    const config = { rlm: { max_sandboxes: 1 } };
    const outcome = await world.run({ id: 'poor', prompt: 'poor', model, config });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^Sandbox.Lost: .*rlm.max_sandboxes: 1/),
      answer: expect.stringContaining('found so far'),
    });
    await model.close();
  });

  it('twice at the same block ends its agent with a message that names the iteration', async () => {
    const model = await world.startModel({
      scripts: forTask('deadly', [withCode('k = 1'), withCode('import time\ntime.sleep(60)')]),
    });
    const handle = await world.start({ id: 'deadly', prompt: 'deadly', model });
    for (let kill = 0; kill < 2; kill += 1) {
      await vi.waitFor(
        async () => {
          const [root] = await world.agents('deadly');
          expect(root).toMatchObject({ state: 'running', iteration: 2 });
          expect(await rebuilds('deadly')).toHaveLength(kill);
          await world.killSandbox('deadly', '0');
        },
        { timeout: 20_000, interval: 50 },
      );
    }
    const outcome = (await handle.result()) as RunOutcome;
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/lost twice while the code of iteration 2 ran/),
    });
    await model.close();
  });

  it('is made again no more often than sandbox.max_rebuilds says', async () => {
    const model = await world.startModel({
      scripts: forTask('often', [withCode('1'), ...[1, 2, 3].map(() => afterKilling('often', withCode('1')))]),
    });
    const config = { sandbox: { max_rebuilds: 2 } };
    const outcome = await world.run({ id: 'often', prompt: 'often', model, config });
    expect(outcome).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/lost 3 times \(sandbox.max_rebuilds: 2\)/),
    });
    await model.close();
  });

  const turns = sized(5, 15);
  it(`${turns} times at random moments changes nothing but the time it takes`, async () => {
    const random = generator(7);
    const kinds = Array.from({ length: turns }, () => (random() < 0.5 ? 'thinking' : 'asking'));
    const model = await world.startModel({
      scripts: [
        forTask('many losses', [
          withCode('values = []\nstream = (n * n for n in range(1000))\nlog = open("log.txt", "w")'),
          ...kinds.map((kind, turn) => {
            const code = withCode(
              `values.append((next(stream), llm_query("number ${turn}")))\nprint(len(values), file=log, flush=True)`,
            );
            return kind === 'thinking' ? afterKilling('losses', code) : code;
          }),
          done('[values[0], values[-1], len(values), len(open("log.txt").readlines())]'),
        ]),
        async ({ opening }) => {
          const [, turn] = /number (\d+)/.exec(opening) ?? [];
          if (turn === undefined) return undefined;
          if (kinds[Number(turn)] === 'asking') await world.killSandbox('losses', '0');
          return `n${turn}`;
        },
      ],
    });
    const config = { rlm: { max_sandboxes: 100, max_iterations: 100 }, sandbox: { max_rebuilds: 60 } };
    const outcome = await world.run({ id: 'losses', prompt: 'many losses', model, config });
    expect(outcome.error).toBeNull();
    expect(await world.answer(outcome)).toEqual([[0, 'n0'], [(turns - 1) ** 2, `n${turns - 1}`], turns, turns]);
    expect(outcome).toMatchObject({ status: 'completed', sandboxes: 1 + turns });
    expect(model.count()).toBe(2 + 2 * turns);
    expect(model.paidTwice()).toEqual([]);
    await vi.waitFor(async () => expect(await world.leftovers('losses')).toEqual([]), { timeout: 20_000 });
    await model.close();
  }, 120_000);
});

describe('more sandboxes than sandbox.max_live', () => {
  it('are not kept while their agents wait: they are made again for the answers, at no cost to the budget', async () => {
    let seen = '';
    const model = await world.startModel({
      scripts: [
        forTask('crowded', [
          withCode('state = [1]\nanswers = rlm_query_batched([f"part {i}" for i in range(3)])'),
          ({ last }) => {
            seen = last;
            return done('[state, answers]');
          },
        ]),
        forTask(/part \d/, [withCode('mine = task\nsaid = rlm_query("leaf " + task[-1])'), done('mine + ": " + said')]),
        forTask(/leaf \d/, [done('"leaf"')]),
      ],
    });
    const config = { sandbox: { max_live: 1 }, rlm: { max_sandboxes: 7 } };
    const outcome = await world.run({ id: 'crowded', prompt: 'crowded', model, config });
    expect(await world.answer(outcome)).toEqual([[1], ['part 0: leaf', 'part 1: leaf', 'part 2: leaf']]);
    expect(outcome).toMatchObject({ status: 'completed', agents: 7, sandboxes: 7 });
    expect(seen).not.toContain('made anew');
    const dropped = (await rebuilds('crowded')).filter(({ reason }) => reason === null);
    expect(dropped.length).toBeLessThanOrEqual(1);
    expect(model.paidTwice()).toEqual([]);
    await model.close();
  }, 60_000);
});

describe.concurrent('an interpreter that ends', () => {
  it('is made again without the block that ended it', async () => {
    let told = '';
    const model = await world.startModel({
      scripts: forTask('crash', [
        withCode('x = 41\nopen("kept", "w").write("k")'),
        withCode('open("undone", "w").write("u")\nimport os\nos._exit(3)'),
        ({ last }) => {
          told = last;
          return done('[x, open("kept").read(), os.path.exists("undone") if "os" in globals() else None]');
        },
      ]),
    });
    const outcome = await world.run({ id: 'crash', prompt: 'crash', model });
    expect(await world.answer(outcome)).toEqual([41, 'k', null]);
    expect(told).toContain('The block of turn 2 did not run again, and what it had changed is undone.');
    await model.close();
  });

  // Its processes are found by their command lines, which only this host's sandboxes have.
  it.skipIf(placeByEnvironment() !== 'local')(
    'between two blocks is noticed with the next one, which runs with all its variables',
    async () => {
      const model = await world.startModel({
        scripts: forTask('between', [
          withCode('x = [1]'),
          () => {
            // The youngest process of the sandbox is the one that runs the code.
            const pids = processesWith('rlm-between-').map((name) => Number(name.slice('process '.length)));
            process.kill(Math.max(...pids), 'SIGKILL');
            return withCode('x.append(2)');
          },
          done('x'),
        ]),
      });
      const outcome = await world.run({ id: 'between', prompt: 'between', model });
      expect(outcome.error).toBeNull();
      expect(await world.answer(outcome)).toEqual([1, 2]);
      expect(outcome).toMatchObject({ status: 'completed', sandboxes: 2 });
      expect(model.paidTwice()).toEqual([]);
      await model.close();
    },
  );

  it('at its memory limit is made again as well', async () => {
    const model = await world.startModel({
      scripts: forTask('greedy', [
        withCode('small = "kept"'),
        withCode('x = [bytearray(50_000_000) for _ in range(100)]'),
        ({ last }) => done(`[small, ${last.includes('more than 200 MiB of memory') ? 'True' : 'False'}]`),
      ]),
    });
    const config = { sandbox: { memory_mb: 200 } };
    const outcome = await world.run({ id: 'greedy', prompt: 'greedy', model, config });
    expect(await world.answer(outcome)).toEqual(['kept', true]);
    await model.close();
  });
});

/** Numbers from 0 to 1, the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Checkpoint } from '../../src/activities/dependencies.ts';
import { defaultDatabaseFile, devServerStatus } from '../../src/temporal/dev-server.ts';
import {
  killSwitchEnvironment,
  startScriptedModel,
  type PlannedKill,
  type ScriptedModel,
} from '../../src/testing/index.ts';
import { callsPaidAgain } from './books.ts';
import { createDesk, type Desk, type Finished } from './command.ts';
import { FORTY_ONE_AGENTS, inventoryTree, PROMPT, type InventoryAnswer } from './inventory-tree.ts';
import { itLong, sized } from '../sizes.ts';
import { git, makeRepository } from './world.ts';

const TREE = sized(inventoryTree(8, 4), FORTY_ONE_AGENTS);

let desk: Desk;
let model: ScriptedModel;
let repository: string;
let commit: string;
let undisturbed: RunDocument;

interface RunDocument {
  readonly status: string;
  readonly answer: InventoryAnswer;
  readonly patch?: string;
  readonly patch_base64?: string;
  readonly agents: number;
  readonly max_depth: number;
  readonly sandboxes: number;
}

const MAKE_SCIKIT_LEARN = fileURLToPath(new URL('../../../shared/tools/make-scikit-learn-repo.sh', import.meta.url));

beforeAll(async () => {
  desk = await createDesk();
  repository = join(desk.folder, 'repository');
  if (existsSync(MAKE_SCIKIT_LEARN)) execFileSync('bash', [MAKE_SCIKIT_LEARN, repository]);
  else {
    console.log('scikit-learn is not at hand: a small repository stands in for it');
    makeRepository(repository, { 'a/b.py': 'x = 1  # TODO: more\n', 'c.py': '# TODO: y\n' });
  }
  commit = git(repository, 'rev-parse', 'HEAD').trim();
  model = await startScriptedModel({ scripts: TREE.scripts, latencyMs: 200 });
  const config = { ...desk.settings, model: { name: 'openai/scripted', base_url: model.url } };
  desk.configure(stringify(config));
}, 120_000);

afterAll(async () => {
  await desk.close();
  await model.close({ check: false });
});

const command = (id: string): string[] => ['run', repository, '-p', PROMPT, '--id', id, '--json', '-q'];

function documentOf(finished: Finished): RunDocument {
  if (finished.code !== 0) throw new Error(`exit ${finished.code}: ${finished.stderr}`);
  return JSON.parse(finished.stdout.toString()) as RunDocument;
}

/** What must be so after every run, however often it was killed. */
async function checkBooks(id: string, document: RunDocument): Promise<void> {
  expect(TREE.problemsOf(document.answer, commit)).toEqual([]);
  expect(document).toMatchObject({ status: 'completed', agents: TREE.agents, max_depth: 2 });
  expect(document.patch ?? document.patch_base64).toBe(undisturbed.patch ?? undisturbed.patch_base64);
  expect(document.answer).toEqual(undisturbed.answer);
  expect(await callsPaidAgain(desk.state, id, model.calls)).toEqual([]);
  expect(await desk.leftovers()).toEqual([]);
}

describe(`a tree of ${TREE.agents} agents`, () => {
  it('ends undisturbed with every answer in its place and nothing left', async () => {
    undisturbed = documentOf(await desk.run(command('undisturbed')));
    await checkBooks('undisturbed', undisturbed);
    expect(undisturbed.sandboxes).toBe(TREE.agents);
    const paid = model.paidTwice();
    expect(paid).toEqual([]);
  }, 60_000);

  const ALL_POINTS: readonly Checkpoint[] = [
    'sandbox.creating',
    'sandbox.created',
    'sandbox.ready',
    'model.asking',
    'model.replied',
    'reply.recorded',
    'block.sent',
    'block.calls',
    'block.done',
    'block.recorded',
    'answers.delivered',
    'answers.recorded',
    'end.recorded',
    'sandbox.destroyed',
    'prompt.replied',
    'prompt.recorded',
    'patch.extracted',
  ];

  const HARDEST: readonly Checkpoint[] = ['answers.delivered', 'patch.extracted'];
  const POINTS = sized(HARDEST, ALL_POINTS);

  it('ends the same when its process is killed at named points, one after another', async () => {
    // In an order in which a run comes to them: the last is the root's alone. Mostly the second time, in mid-stream.
    const once: readonly Checkpoint[] = ['end.recorded', 'sandbox.destroyed', 'patch.extracted'];
    const kills: PlannedKill[] = POINTS.map((point) => ({ point, after: once.includes(point) ? 1 : 2 }));
    const plan = join(desk.folder, 'kills.json');
    let finished: Finished | undefined;
    writeFileSync(plan, JSON.stringify(kills));
    for (let attempt = 0; attempt <= POINTS.length; attempt += 1) {
      finished = await desk.run(command('named'), killSwitchEnvironment(plan));
      if (finished.code !== null) break;
    }
    expect(JSON.parse(readFileSync(plan, 'utf8'))).toEqual([]);
    await checkBooks('named', documentOf(finished as Finished));
  }, 300_000);

  itLong(
    'ends the same when its process group is killed at random moments',
    async () => {
      const KILLS = sized(2, 10);
      const random = seeded(20261120);
      let kills = 0;
      let finished: Finished | undefined;
      while (finished === undefined) {
        const running = desk.start(command('random'));
        const wait = 600 + random() * sized(1500, 2500);
        const timer = kills < KILLS ? setTimeout(() => running.kill(), wait) : undefined;
        const ended = await running.finished;
        clearTimeout(timer);
        if (ended.code === null) kills += 1;
        else finished = ended;
      }
      await checkBooks('random', documentOf(finished));
      expect(kills).toBeGreaterThan(KILLS / 4);
    },
    300_000,
  );

  it('continues when the Temporal server is killed and comes back', async () => {
    const running = desk.start(command('server'));
    await model.when((call) => call.at > Date.now() - 1000 && call.task.includes(`Inspect part ${sized(5, 20)} `));
    const { server } = devServerStatus(defaultDatabaseFile(desk.state));
    process.kill(server?.process.pid ?? 0, 'SIGKILL');
    await checkBooks('server', documentOf(await running.finished));
  }, 120_000);
});

/** Numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { forTask, startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { rigIsHere } from '../sandbox/daytona/rig.ts';
import { createDesk, type Desk } from './command.ts';
import { FORTY_ONE_AGENTS, inventoryTree, PROMPT, type InventoryAnswer } from './inventory-tree.ts';
import { itLong, sized } from '../sizes.ts';
import { createWorld, git, makeRepository, type World } from './world.ts';

const TREE = sized(inventoryTree(6, 3), FORTY_ONE_AGENTS);
const EDIT = withCode('print(edit_file("pkg/b.py", "return 2", "return 22"))');
const LOOP = withCode('while True: pass');

/** More of the same with `npm run test:daytona`: there all end-to-end tests have their sandboxes at Daytona. */
describe.runIf(rigIsHere())('a run whose sandboxes are at Daytona', () => {
  describe('of the command', () => {
    let desk: Desk;
    let model: ScriptedModel;
    let commit: string;
    const repository = (): string => join(desk.folder, 'repository');

    beforeAll(async () => {
      desk = await createDesk('daytona');
      makeRepository(repository(), { 'a/b.py': 'x = 1  # TODO: more\n', 'c.py': '# TODO: y\n' });
      commit = git(repository(), 'rev-parse', 'HEAD').trim();
      model = await startScriptedModel({ scripts: TREE.scripts, latencyMs: 100 });
      const config = { ...desk.settings, model: { name: 'openai/scripted', base_url: model.url } };
      desk.configure(stringify(config));
    });

    afterAll(async () => {
      await desk.close();
      await model.close({ check: false });
    });

    itLong(
      `is a tree of ${TREE.agents} agents that is killed in the middle, continues, and leaves nothing`,
      async () => {
        const command = ['run', repository(), '-p', PROMPT, '--id', 'tree', '--json', '-q'];
        const killed = desk.start(command);
        await model.when(({ task }) => task.includes(`Inspect part ${sized(4, 20)} `), 60_000);
        killed.kill();
        expect((await killed.finished).code).toBeNull();
        const { code, stdout, stderr } = await desk.run(command);
        expect(code, stderr).toBe(0);
        const document = JSON.parse(stdout.toString()) as { answer: InventoryAnswer; agents: number };
        expect(TREE.problemsOf(document.answer, commit)).toEqual([]);
        expect(document).toMatchObject({ status: 'completed', agents: TREE.agents, max_depth: 2 });
        expect(await desk.leftovers()).toEqual([]);
      },
      300_000,
    );

    it('ends before anything is spent where the key is missing', async () => {
      const asked = model.count();
      const command = ['run', repository(), '-p', PROMPT, '--id', 'keyless'];
      const { code, stderr } = await desk.run(command, { DAYTONA_API_KEY: '' });
      expect(stderr).toMatch(/DAYTONA_API_KEY is not set.*export DAYTONA_API_KEY/);
      expect(code).toBe(2);
      expect(model.count()).toBe(asked);
    });
  });

  describe.concurrent('of the workflow', () => {
    let world: World;
    beforeAll(async () => {
      world = await createWorld('daytona');
      await world.startWorker();
    });
    afterAll(async () => {
      try {
        expect(await world.leftovers()).toEqual([]);
      } finally {
        await world.close();
      }
    });

    it('ends at its deadline with its patch, whatever its code does', async () => {
      const model = await world.startModel({ scripts: [forTask('be busy', [EDIT, LOOP])] });
      const config = { rlm: { global_timeout: 6 } };
      const outcome = await world.run({ id: 'deadline', prompt: 'be busy', model, config });
      expect(outcome).toMatchObject({ status: 'timed_out', sandboxes: 1 });
      expect((await world.patch(outcome)).toString()).toContain('+    return 22');
      expect(await world.leftovers('deadline')).toEqual([]);
    }, 60_000);

    it('is cancelled with its sub-agents, and keeps its patch', async () => {
      const fanOut = withCode('rlm_query_batched(["loop 1", "loop 2", "loop 3"])');
      const model = await world.startModel({
        scripts: [forTask('fan out', [EDIT, fanOut]), forTask(/loop \d/, [LOOP])],
      });
      const handle = await world.start({ id: 'cancelled', prompt: 'fan out', model });
      await model.when(({ task }) => task.includes('loop 3'), 60_000);
      await handle.cancel();
      const outcome = (await handle.result()) as Awaited<ReturnType<World['run']>>;
      expect(outcome).toMatchObject({ status: 'cancelled' });
      expect((await world.patch(outcome)).toString()).toContain('+    return 22');
      expect(await world.leftovers('cancelled')).toEqual([]);
    }, 60_000);

    it('makes no more sandboxes than its budget allows', async () => {
      const model = await world.startModel({
        scripts: [
          forTask('spend', [withCode('r = rlm_query_batched([f"child {i}" for i in range(4)])\nFINAL(r)')]),
          forTask(/child \d/, [withCode('FINAL("done")')]),
        ],
      });
      const config = { rlm: { max_sandboxes: 3 } };
      const outcome = await world.run({ id: 'budget', prompt: 'spend', model, config });
      expect(outcome).toMatchObject({ status: 'completed', sandboxes: 3 });
      const refused = expect.stringMatching(/^Error: .*budget/);
      expect(await world.answer(outcome)).toEqual(['done', 'done', refused, refused]);
    }, 60_000);
  });

  it('hears of a quota that stays full as an error of the call, and continues', async () => {
    const world = await createWorld('daytona', { controlPlane: ['--max-sandboxes', '1'] });
    try {
      await world.startWorker();
      const model = await world.startModel({
        scripts: [
          forTask('ask for help', [withCode('FINAL(rlm_query("help"))')]),
          forTask('help', [withCode('FINAL("here")')]),
        ],
      });
      const config = { sandbox: { create_timeout: 3 } };
      const outcome = await world.run({ id: 'full', prompt: 'ask for help', model, config });
      expect(outcome).toMatchObject({ status: 'completed' });
      expect(outcome.answer).toMatch(/^Error: sub-agent 0\.1 .*Total CPU limit exceeded/);
      expect(await world.leftovers()).toEqual([]);
    } finally {
      await world.close();
    }
  }, 60_000);
});

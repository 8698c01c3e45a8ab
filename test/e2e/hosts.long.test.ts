import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Checkpoint } from '../../src/activities/dependencies.ts';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { forTask, killSwitchEnvironment, withCode, type ScriptedModel, type Step } from '../../src/testing/index.ts';
import { tool, toolsOf } from '../../src/tools/index.ts';
import { sized } from '../sizes.ts';
import { createDesk, type Desk, type RunningCommand } from './command.ts';
import { createWorld, type World } from './world.ts';

/**
 * Two hosts have the server and the store in common, and neither sandboxes nor folders. One is lost for good: the run
 * continues at the other and gives its right answer, whatever its agents were doing. Both hosts have one name.
 */
vi.setConfig({ testTimeout: 180_000 });
const HOST = 'alpha';
const WAIT = { timeout: 60_000, interval: 100 };

let world: World;
let desk: Desk;
const stateFolders: string[] = [];
beforeAll(async () => {
  [world, desk] = await Promise.all([createWorld('local'), createDesk('local')]);
}, 60_000);

afterAll(async () => {
  // What a host that is gone leaves is its own to sweep: here nobody would.
  for (const stateDirectory of stateFolders) {
    const provider = createLocalProvider({ stateDirectory, cacheDirectory: join(world.folder, 'cache') });
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
  }
  await desk.close();
  await world.close();
});

function stateFolder(name: string): string {
  const folder = join(world.folder, name);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

const allowed = (model: ScriptedModel) => ({
  allow: { endpoints: [{ base_url: model.url }], folders: [world.folder] },
});

const TOOL_WITHOUT_END = `
import { z } from 'zod';
export const slow = { description: 'Slow.', parameters: z.object({}), run: () => new Promise(() => undefined) };
`;

/** The host that will be lost. */
async function startHost(
  taskQueue: string,
  model: ScriptedModel,
  env: NodeJS.ProcessEnv = {},
): Promise<RunningCommand> {
  const state = stateFolder(`${taskQueue}-lost`);
  stateFolders.push(state);
  const config = join(state, 'config.yaml');
  const tools = join(state, 'tools.mjs');
  const storage = { path: join(world.folder, 'state', 'blobs') };
  writeFileSync(config, stringify({ storage, temporal: { task_queue: taskQueue }, worker: allowed(model) }));
  writeFileSync(tools, TOOL_WITHOUT_END);
  const args = ['worker', '--address', world.server.address, '-c', config, '--tools', tools, '--drain', '1'];
  const worker = desk.start(args, {
    DURABLE_RLM_STATE: state,
    DURABLE_RLM_CACHE: cacheDirectory(process.env),
    DURABLE_RLM_HOST: HOST,
    ...env,
  });
  await vi.waitFor(() => expect(worker.stderr()).toContain('working'), WAIT);
  return worker;
}

/** The host that is left. */
async function startOtherHost(taskQueue: string, model: ScriptedModel): Promise<void> {
  const slow = tool({ description: 'Slow.', parameters: z.object({}), run: () => 'from the tool' });
  await world.startWorker({
    taskQueue,
    host: HOST,
    stateDirectory: stateFolder(`${taskQueue}-left`),
    hostPatience: 1000,
    tools: toolsOf({ slow }),
    config: { worker: allowed(model) },
  });
}

function start(taskQueue: string, id: string, model: ScriptedModel, input: object): Promise<WorkflowHandle> {
  const config = { model: { name: 'openai/scripted', base_url: model.url } };
  return world.client.workflow.start('signature' in input ? 'analyze' : 'investigate', {
    workflowId: `${taskQueue}-${id}`,
    taskQueue,
    args: [{ ...input, config }],
  });
}

async function answers(runs: readonly WorkflowHandle[]): Promise<(string | null)[]> {
  const outcomes = (await Promise.all(runs.map((run) => run.result()))) as RunOutcome[];
  return outcomes.map(({ answer, error }) => error ?? answer);
}

/** How many activities of each kind are under way. */
async function activitiesOf(taskQueue: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const query = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of world.client.workflow.list({ query })) {
    const { raw } = await world.client.workflow.getHandle(workflowId).describe();
    for (const { activityType } of raw.pendingActivities ?? []) {
      const name = activityType?.name ?? '';
      counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return counts;
}

describe.concurrent.each(sized<NodeJS.Signals[]>(['SIGKILL'], ['SIGKILL', 'SIGTERM']))(
  'a host that is lost for good by %s',
  (signal) => {
    it('loses no run: what its agents were doing is done on the other', async () => {
      let lose!: () => void;
      const lost = new Promise<void>((resolve) => (lose = resolve));
      const DONE = withCode('FINAL([task, x])');
      const now = (): number => Date.now() / 1000;
      /** Code passes while it is early or late: it is lost in between, and when it runs again it is late. */
      const WINDOW =
        'import json, time\nlo, hi = json.loads(llm_query("window"))\nwhile lo < time.time() < hi: time.sleep(0.05)';
      /** The turns of an agent after its first, by the activity in which its host is lost. */
      const TURNS: Readonly<Record<string, readonly Step[]>> = {
        callModel: [() => lost.then(() => DONE)],
        runCode: [withCode(`${WINDOW}\nwhile time.time() < hi: time.sleep(0.05)\nFINAL([task, x])`)],
        answerPrompts: [withCode('y = llm_query("slow")\nFINAL([task, x])')],
        rebuildSandbox: [
          withCode(WINDOW),
          withCode('import os\nwhile time.time() < lo: time.sleep(0.05)\nos._exit(3)'),
          DONE,
        ],
      };
      const names = Object.keys(TURNS);
      const model = await world.startModel({
        scripts: [
          ...Object.entries(TURNS).flatMap(([name, turns]) => [
            forTask(new RegExp(`(root|leaf) in ${name}`), [withCode('x = "before"'), ...turns]),
            forTask(`parent of ${name}`, [withCode(`x = rlm_query("leaf in ${name}")\nFINAL(x)`)]),
          ]),
          forTask('call the tool', [withCode('SUBMIT(it=slow())')]),
          async ({ messages, opening }) => {
            if (messages.length !== 1) return undefined;
            if (opening.includes('window')) return JSON.stringify([now() + 3, now() + 13]);
            return opening.includes('slow') ? lost.then(() => 'a') : undefined;
          },
        ],
      });
      const queue = signal.toLowerCase();
      const worker = await startHost(queue, model);
      const repo = world.repository;
      const runs = await Promise.all([
        ...names.map((name) => start(queue, `root-${name}`, model, { repo, prompt: `root in ${name}` })),
        ...names.map((name) => start(queue, `parent-${name}`, model, { repo, prompt: `parent of ${name}` })),
        start(queue, 'tool', model, { signature: '-> it: str', instructions: 'call the tool' }),
      ]);
      const each = Object.fromEntries(names.map((name) => [name, 2]));
      await vi.waitFor(async () => expect(await activitiesOf(queue)).toEqual({ ...each, callTool: 1 }), WAIT);
      process.kill(worker.pid, signal);
      await worker.finished;
      lose();
      await startOtherHost(queue, model);
      expect(await answers(runs)).toEqual([
        ...names.map((name) => `["root in ${name}","before"]`),
        ...names.map((name) => `["leaf in ${name}","before"]`),
        '{"it":"from the tool"}',
      ]);
      const { events } = await runs[0].fetchHistory();
      const identities = (events ?? []).map((event) => event.workflowTaskStartedEventAttributes?.identity ?? '');
      const named = identities.filter((identity) => identity !== '').map((identity) => identity.replace(/^\d+/, ''));
      expect(new Set(named)).toEqual(new Set([`@${HOST}`]));
      await model.close();
    });
  },
);

/** Steps in which an agent is only for moments: the worker kills itself there. */
const STEPS: readonly (readonly [what: string, point: Checkpoint, after: number])[] = [
  ['when the end of a leaf is recorded', 'end.recorded', 1],
  ['while the sandbox of a root is created', 'sandbox.creating', 1],
  ['while the sandbox of a leaf is created', 'sandbox.creating', 2],
  ['while the patch of a root is taken', 'patch.taking', 1],
];

describe.concurrent('a host that is lost for good', () => {
  it.each(sized(STEPS.slice(0, 1), STEPS))('%s: the answer and the patch are right', async (_, point, after) => {
    const model = await world.startModel({
      scripts: [
        forTask('build the boat', [withCode('open("new.txt", "w").write("x")\nFINAL(rlm_query("saw a plank"))')]),
        forTask('saw a plank', [withCode('FINAL("of it")')]),
      ],
    });
    const queue = `${point}-${after}`;
    const plan = join(world.folder, `${queue}.json`);
    writeFileSync(plan, JSON.stringify([{ point, after }]));
    const worker = await startHost(queue, model, killSwitchEnvironment(plan));
    const run = await start(queue, 'run', model, { repo: world.repository, prompt: 'build the boat' });
    await worker.finished;
    expect(JSON.parse(readFileSync(plan, 'utf8'))).toEqual([]);
    await startOtherHost(queue, model);
    expect(await answers([run])).toEqual(['of it']);
    expect((await world.patch((await run.result()) as RunOutcome)).toString()).toContain('new.txt');
    await model.close();
  });
});

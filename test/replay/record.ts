/**
 * Records histories of every workflow, for the tests to replay: `node test/replay/record.ts [folder]`. Histories are
 * added, never edited: a change of workflow code that breaks an older one is versioned with `patched` instead.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { attempts, forTask, withCode } from '../../src/testing/index.ts';
import type { RunState } from '../../src/domain/messages.ts';
import { createWorld, type World } from '../e2e/world.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const folder = process.argv[2] ?? fileURLToPath(new URL(`histories/${version}`, import.meta.url));

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const SCENARIOS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  async tree(world) {
    const model = await world.startModel({
      scripts: [
        forTask('the root of the tree', [
          withCode('a = rlm_query_batched(["part 1", "part 2", "part 3"])\nprint(a)'),
          'No code this time.',
          withCode('print(llm_query("q"), llm_query_batched(["q"] * 12))\nopen("new.txt", "w").write("x")'),
          withCode('FINAL([a, rlm_query("part 4")])'),
        ]),
        forTask(/part [1-3]/, [withCode('FINAL(rlm_query("below " + task))')], {
          when: ({ opening }) => !opening.includes('below'),
        }),
        forTask(/below|part 4/, [withCode('FINAL(task)')]),
        (conversation) => (conversation.messages.length === 1 ? 'a' : undefined),
      ],
    });
    await world.run({ id: 'tree', prompt: 'the root of the tree', model });
  },
  async budget(world) {
    const model = await world.startModel({
      scripts: [
        forTask('spend it all', [
          withCode('a = rlm_query_batched(["spender 1", "spender 2"])\nFINAL([a, rlm_query_batched(["idle"] * 9)])'),
        ]),
        forTask('spender', [withCode('FINAL(len(llm_query_batched(["q"] * 20)))')]),
        forTask('idle', [withCode('FINAL(1)')]),
        (conversation) => (conversation.messages.length === 1 ? 'a' : undefined),
      ],
    });
    const rlm = { max_sandboxes: 6, max_llm_calls: 30, max_depth: 1, max_cost: 5 };
    await world.run({ id: 'budget', prompt: 'spend it all', model, config: { rlm } });
  },
  async extract(world) {
    const model = await world.startModel({
      scripts: forTask('no end', [withCode('print(1)'), withCode('1/0'), 'The best answer.']),
    });
    await world.run({ id: 'extract', prompt: 'no end', model, config: { rlm: { max_iterations: 2 } } });
  },
  async paused(world) {
    const refused = { error: { status: 401 } };
    const model = await world.startModel({ scripts: forTask('pause me', [attempts(refused, withCode('FINAL(1)'))]) });
    const handle = await world.start({ id: 'paused', prompt: 'pause me', model });
    await model.when((call) => call.outcome === 'failed');
    while ((await handle.query<RunState>('status')).status !== 'paused')
      await new Promise((resolve) => setTimeout(resolve, 50));
    await handle.signal('resume');
    await handle.result();
  },
  async timeout(world) {
    const model = await world.startModel({
      scripts: [
        forTask('too slow', [withCode('open("partial.txt", "w").write("p")\nrlm_query_batched(["hang 1", "hang 2"])')]),
        forTask('hang', [{ hang: true }]),
      ],
    });
    await world.run({ id: 'timeout', prompt: 'too slow', model, config: { rlm: { global_timeout: 4 } } });
  },
  async cancelled(world) {
    const model = await world.startModel({ scripts: forTask('cancel me', [withCode('while True: pass')]) });
    const handle = await world.start({ id: 'cancelled', prompt: 'cancel me', model });
    await model.when((call) => call.outcome === 'answered');
    await handle.cancel();
    await handle.result();
  },
};

const world = await createWorld();
try {
  await world.startWorker();
  mkdirSync(folder, { recursive: true });
  for (const [name, play] of Object.entries(SCENARIOS)) {
    await play(world);
    await save(name);
  }
} finally {
  await world.close();
}

async function save(run: string): Promise<void> {
  const agents = (await world.agents(run)).map(({ agent }) => `${run}/${agent}`);
  for (const workflowId of [run, `${run}/ledger`, ...agents]) {
    const history = await world.client.workflow.getHandle(workflowId).fetchHistory();
    const file = join(folder, `${workflowId.replaceAll('/', '-')}.json`);
    // Stack traces name this checkout's folder, which is nobody's business.
    writeFileSync(file, `${historyToJSON(history).replaceAll(ROOT, '')}\n`);
    console.log(file, history.events?.length);
  }
}

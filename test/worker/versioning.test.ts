import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import type { RlmWorker, WorkerVersion } from '../../src/worker.ts';
import { createWorld, type World } from '../e2e/world.ts';
import { itLong } from '../sizes.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld('local');
});
afterAll(() => world.close());

const DEPLOYMENT = 'fleet';

/** A worker of a version, which is made the current one as soon as Temporal knows it. */
async function deploy(buildId: string, behavior: WorkerVersion['behavior']): Promise<RlmWorker> {
  const worker = await world.startWorker({ version: { deployment: DEPLOYMENT, buildId, behavior } });
  const current = { namespace: 'default', deploymentName: DEPLOYMENT, buildId, ignoreMissingTaskQueues: true };
  await vi.waitFor(() => world.client.workflowService.setWorkerDeploymentCurrentVersion(current), {
    timeout: 20_000,
    interval: 100,
  });
  return worker;
}

/** The build ids that took part in a workflow, in their order. */
async function buildsOf(workflowId: string): Promise<string[]> {
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const builds = (events ?? []).flatMap(({ workflowTaskCompletedEventAttributes: completed }) => {
    const build = completed?.deploymentVersion?.buildId ?? completed?.workerDeploymentVersion ?? '';
    return build === '' ? [] : [build.replace(`${DEPLOYMENT}.`, '')];
  });
  return [...new Set(builds)];
}

/** A model whose first reply to a run comes when it is let go; then it starts a sub-agent. */
async function startModel(): Promise<{ model: ScriptedModel; letGo: () => void }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const reply = withCode('FINAL(rlm_query("one stone"))');
  const model = await world.startModel({
    scripts: [
      forTask('the patient errand', [() => promise.then(() => reply)]),
      forTask('the quick errand', [reply]),
      forTask('one stone', [withCode('FINAL("done")')]),
    ],
  });
  return { model, letGo: () => resolve() };
}

const WORKFLOWS = ['', '/0', '/0.1', '/budget'];

describe('a run that is open while another version is made current', () => {
  itLong(
    'ends on the version it began on when that is pinned, its sub-agents too; a new run is on the new one',
    async () => {
      const [{ model, letGo }, old] = await Promise.all([startModel(), deploy('1.0', 'PINNED')]);
      const before = await world.start({ id: 'before', prompt: 'the patient errand', model });
      await model.when(({ outcome }) => outcome === 'pending');
      const recent = await deploy('1.1', 'PINNED');
      const after = await world.run({ id: 'after', prompt: 'the quick errand', model });
      expect(after).toMatchObject({ status: 'completed', agents: 2 });
      letGo();
      expect((await before.result()) as RunOutcome).toMatchObject({ status: 'completed', agents: 2 });
      for (const part of WORKFLOWS) {
        expect([part, await buildsOf(`before${part}`)]).toEqual([part, ['1.0']]);
        expect([part, await buildsOf(`after${part}`)]).toEqual([part, ['1.1']]);
      }
      await Promise.all([old, recent].map((worker) => worker.shutdown()));
    },
    60_000,
  );

  it('moves on to it by default: the workers of the version before may go', async () => {
    const [{ model, letGo }, old] = await Promise.all([startModel(), deploy('2.0', 'AUTO_UPGRADE')]);
    const run = await world.start({ id: 'moving', prompt: 'the patient errand', model });
    await model.when(({ outcome }) => outcome === 'pending');
    const recent = await deploy('2.1', 'AUTO_UPGRADE');
    await old.shutdown();
    letGo();
    expect((await run.result()) as RunOutcome).toMatchObject({ status: 'completed', agents: 2 });
    expect(await buildsOf('moving')).toEqual(['2.0', '2.1']);
    expect(await buildsOf('moving/0')).toEqual(['2.0', '2.1']);
    expect(await buildsOf('moving/0.1')).toEqual(['2.1']);
    expect(await world.sandboxes()).toEqual([]);
    await recent.shutdown();
  }, 60_000);
});

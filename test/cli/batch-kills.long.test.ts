import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BatchReport } from '../../src/domain/batch.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { startScriptedModel, withCode, type ScriptedCall, type ScriptedModel } from '../../src/testing/index.ts';
import { seeded } from '../chaos/random.ts';
import { createDesk, type Desk } from '../e2e/command.ts';

/** A batch of 500 items whose process is ended with SIGKILL five times, each time at another moment. */
vi.setConfig({ testTimeout: 3_600_000 });

const ITEMS = 500;
const KILLS = 5;
const CONCURRENCY = 10;
const SEED = Number(process.env['TEST_SEED'] ?? 20_261_129);
/** Milliseconds that a reply which has reached the process may need until it is recorded, on a machine that is busy. */
const RECORDING_MS = 10_000;

let desk: Desk;
let model: ScriptedModel;
const isBad = (n: number): boolean => n % 50 === 49;

beforeAll(async () => {
  desk = await createDesk();
  model = await startScriptedModel({
    scripts: [
      ({ opening }) => {
        const n = Number(/number-(\d+)/.exec(opening)?.[1]);
        if (isBad(n)) return { error: { status: 400, body: { error: { message: `not ${n}` } } } };
        return withCode('SUBMIT(length=len(name))');
      },
    ],
    latencyMs: 100,
  });
  desk.configure(
    JSON.stringify({
      model: { name: 'openai/scripted', base_url: model.url, check: false },
      sandbox: desk.settings.sandbox,
    }),
  );
  const names = Array.from({ length: ITEMS }, (_, n) => `number-${n}`);
  writeFileSync(join(desk.folder, 'names.csv'), `name\n${names.join('\n')}\n`);
}, 120_000);
afterAll(async () => {
  await model.close({ check: false });
  await desk.close();
}, 120_000);

const COMMAND = [
  'batch',
  'names.csv',
  '-s',
  'name -> length: int',
  '-n',
  String(CONCURRENCY),
  '--report',
  'report.json',
];
const report = (): BatchReport => JSON.parse(readFileSync(join(desk.folder, 'report.json'), 'utf8')) as BatchReport;
const doneOf = (stderr: string): number => Number([...stderr.matchAll(/(\d+) of \d+ done/g)].at(-1)?.[1] ?? 0);

describe(`a batch of ${ITEMS} items, killed ${KILLS} times (TEST_SEED=${SEED})`, () => {
  it('ends each item once, and asks the model again only what was on its way at a kill', async () => {
    const random = seeded(SEED, 1);
    const kills: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const command = desk.start(COMMAND);
      const share = ITEMS / (KILLS + 1);
      const after = Math.floor(share * kill) + random.between(1, Math.floor(share));
      /* oxlint-disable no-await-in-loop -- one kill after another */
      await vi.waitFor(() => expect(doneOf(command.stderr())).toBeGreaterThanOrEqual(after), {
        timeout: 1_200_000,
        interval: 100,
      });
      await delay(random.between(0, 3000));
      expect(doneOf(command.stderr()), 'the batch had ended before it was killed').toBeLessThan(ITEMS);
      command.kill();
      kills.push(Date.now());
      expect((await command.finished).code).toBeNull();
      /* oxlint-enable no-await-in-loop */
    }
    const last = await desk.run(COMMAND);
    expect(last.code, last.stderr).toBe(1);

    const { items, counts, total } = report();
    const bad = Array.from({ length: ITEMS }, (_, n) => n).filter(isBad).length;
    expect({ total, ...counts }).toMatchObject({ total: ITEMS, completed: ITEMS - bad, failed: bad, not_started: 0 });
    expect(items.map(({ item, status, answer }) => [item, status, answer])).toEqual(
      Array.from({ length: ITEMS }, (_, n) => [
        `item ${n + 1}`,
        isBad(n) ? 'failed' : 'completed',
        isBad(n) ? null : JSON.stringify({ length: `number-${n}`.length }),
      ]),
    );
    const blobs = createFileBlobStore({ path: join(desk.state, 'blobs') });
    const executions = (await blobs.listReferences('runs/')).filter((name) => name.endsWith('/run'));
    expect(executions).toHaveLength(ITEMS);
    expect(new Set(items.map(({ run }) => run)).size).toBe(ITEMS);

    const first = new Map<string, ScriptedCall>();
    for (const call of model.calls) {
      const before = first.get(call.hash);
      first.set(call.hash, call);
      if (before === undefined) continue;
      const wasOnItsWay = kills.some((at) => at >= before.at && at <= before.endedAt + RECORDING_MS && at <= call.at);
      expect(wasOnItsWay, `asked twice without a kill between: ${JSON.stringify([before, call])}`).toBe(true);
    }
    expect(first.size).toBe(ITEMS);
    expect(model.calls.length).toBeLessThanOrEqual(ITEMS + KILLS * CONCURRENCY);
    expect(await desk.leftovers()).toEqual([]);
  });

  it('says of the same file, a second time, that nothing ran and nothing changed', async () => {
    const before = report();
    const calls = model.count();
    const again = await desk.run(COMMAND);
    expect(again.stderr).toContain('Nothing ran, and nothing changed since the last time.');
    expect(again.code).toBe(1);
    expect(model.count()).toBe(calls);
    const { items } = report();
    expect(items.filter(({ is_new }) => is_new)).toEqual([]);
    expect(items.map((item) => ({ ...item, is_new: true }))).toEqual(before.items);
  });
});

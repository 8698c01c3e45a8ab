import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { RunDocument } from '../../src/results/run-document.ts';
import { forTask, startScriptedModel, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { createDesk, type Desk } from './command.ts';
import { makeRepository } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Hours by which the clock of a process is wrong from the moment on in which the file is there. */
const HOURS = sized([-5], [-5, 5]);

/** The clock of a Node process, which a test can set: that of the whole machine it may not. */
const CLOCK = `import { existsSync } from 'node:fs';
const Real = Date;
const file = process.env.TEST_CLOCK_FILE;
const shift = Number(process.env.TEST_CLOCK_HOURS) * 3_600_000;
const offset = () => (existsSync(file) ? shift : 0);
globalThis.Date = class Date extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + offset());
    else super(...given);
  }
  static now() {
    return Real.now() + offset();
  }
};
`;

let desk: Desk;
let model: ScriptedModel;
let repository: string;
const release = new Map<string, PromiseWithResolvers<undefined>>();

beforeAll(async () => {
  desk = await createDesk();
  for (const hours of HOURS) release.set(`leaf at ${hours}`, Promise.withResolvers());
  model = await startScriptedModel({
    scripts: [
      forTask(/work while the clock is set (-?\d)/, [
        ({ opening }) => {
          const hours = /the clock is set (-?\d)/.exec(opening)?.[1] ?? '';
          return withCode(`parts = rlm_query_batched(["leaf at ${hours}", "quick leaf"])\nprint(parts)`);
        },
        withCode('open("new.txt", "w").write(parts[0])\nanswer = llm_query("And?")'),
        withCode('FINAL(parts + [answer])'),
      ]),
      async ({ opening }) => {
        const leaf = /leaf at -?\d/.exec(opening)?.[0];
        if (leaf !== undefined) await release.get(leaf)?.promise;
        return opening.includes('leaf') ? withCode('FINAL(task)') : undefined;
      },
      ({ messages }) => (messages.length === 1 ? 'well' : undefined),
    ],
  });
  repository = makeRepository(join(desk.folder, 'repository'), { 'a.txt': 'one\n' });
  const configuration = { model: { name: 'scripted', base_url: model.url }, ...desk.settings };
  desk.configure(JSON.stringify(configuration));
  writeFileSync(join(desk.folder, 'clock.mjs'), CLOCK);
});
afterAll(async () => {
  await desk.close();
  await model.close({ check: false });
});

it.each(HOURS)('a clock that is set by %i hours in the middle of a run changes nothing of it', async (hours) => {
  const file = join(desk.folder, `clock-is-set-${hours}`);
  const running = desk.start(['run', repository, '-p', `work while the clock is set ${hours}`, '--json'], {
    NODE_OPTIONS: `--import ${join(desk.folder, 'clock.mjs')}`,
    TEST_CLOCK_FILE: file,
    TEST_CLOCK_HOURS: String(hours),
  });
  await model.when(({ task }) => task.includes(`leaf at ${hours}`), 60_000);
  writeFileSync(file, '');
  release.get(`leaf at ${hours}`)?.resolve(undefined);
  const { code, stdout } = await running.finished;
  expect(code).toBe(0);
  const document = JSON.parse(stdout.toString()) as RunDocument;
  expect(document).toMatchObject({
    status: 'completed',
    answer: [`leaf at ${hours}`, 'quick leaf', 'well'],
    agents: 3,
  });
  expect(document.patch).toContain(`+leaf at ${hours}`);
  expect(document.execution_time).toBeGreaterThanOrEqual(0);
  expect(document.execution_time).toBeLessThan(120);
  await vi.waitFor(async () => expect(await desk.leftovers()).toEqual([]), { timeout: 30_000, interval: 500 });
});

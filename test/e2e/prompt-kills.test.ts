import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import {
  killSwitchEnvironment,
  forTask,
  startScriptedModel,
  withCode,
  type PlannedKill,
  type ScriptedModel,
} from '../../src/testing/index.ts';
import { callsPaidAgain } from './books.ts';
import { createDesk, type Desk, type Finished } from './command.ts';
import { makeRepository } from './world.ts';

const PROMPTS = 300;
const TASK = `Ask ${PROMPTS} prompts`;
const CODE = `answers = llm_query_batched([f"q{i}" for i in range(${PROMPTS})])\nFINAL([a == f"re q{i}" for i, a in enumerate(answers)].count(True))`;
/**
 * Milliseconds that an answer may take from the server's socket to the journal: an entry is written in the turn of the
 * event loop in which the answer is read. With ten busy processes for each core that was 340 ms.
 */
const ON_ITS_WAY_MS = 1000;
/** Milliseconds after a kill in which the server may still write to the connection. */
const MAY_OUTLIVE_MS = 1000;

let desk: Desk;
let model: ScriptedModel;
let repository: string;

beforeAll(async () => {
  desk = await createDesk();
  repository = makeRepository(join(desk.folder, 'repository'), { 'a.py': 'x = 1\n' });
  model = await startScriptedModel({
    scripts: [
      forTask(TASK, [withCode(CODE)]),
      // As unlike each other as the answers of models are.
      ({ messages, last }) =>
        messages.length === 1
          ? { text: `re ${last}`, latencyMs: 500 + ((Number(last.slice(1)) * 7919) % 1000) }
          : undefined,
    ],
  });
  const config = {
    ...desk.settings,
    rlm: { max_llm_calls: PROMPTS },
    model: { name: 'openai/scripted', base_url: model.url },
  };
  desk.configure(stringify(config));
}, 120_000);

afterAll(async () => {
  await desk.close();
  await model.close({ check: false });
});

const command = (id: string): string[] => ['run', repository, '-p', TASK, '--id', id, '--json', '-q'];

function answerOf({ code, stdout, stderr }: Finished): unknown {
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return Number((JSON.parse(stdout.toString()) as { answer: unknown }).answer);
}

/** Answered prompts that were asked again, by how long before the next kill their answer had left the server. */
function askedAgain(from: number, kills: readonly number[]): readonly { task: string; before: number }[] {
  const calls = model.calls.slice(from);
  const again = new Set(calls.filter(({ keyAnsweredBefore }) => keyAnsweredBefore > 0).map(({ key }) => key));
  return calls
    .filter(
      ({ key, outcome, keyAnsweredBefore }) => again.has(key) && outcome === 'answered' && keyAnsweredBefore === 0,
    )
    .map(({ task, endedAt }) => ({
      task,
      before: (kills.find((kill) => kill >= endedAt - MAY_OUTLIVE_MS) ?? endedAt) - endedAt,
    }));
}

describe(`${PROMPTS} prompts`, () => {
  it('are not asked again where they were answered before the process was killed', async () => {
    const from = model.calls.length;
    const kills: number[] = [];
    let inFlight = 0;
    for (const share of [40, 120, 220]) {
      const running = desk.start(command('shares'));
      // Among them the two calls of the agent's own, at most.
      await model.when(() => model.count(({ outcome }) => outcome === 'answered') >= share, 60_000);
      kills.push(Date.now());
      running.kill();
      inFlight += model.count(({ outcome }) => outcome === 'pending');
      await running.finished;
    }
    expect(answerOf(await desk.run(command('shares')))).toBe(PROMPTS);
    const again = askedAgain(from, kills);
    console.log(`${inFlight} in flight at ${kills.length} kills; answered and asked again: ${again.length}`);
    expect(again.filter(({ before }) => before > ON_ITS_WAY_MS)).toEqual([]);
    expect(inFlight).toBeGreaterThan(50);
    expect(await callsPaidAgain(desk.state, 'shares', model.calls)).toEqual([]);
  }, 180_000);

  it('whose process is killed with an answer in hand: that one is asked again, no other', async () => {
    const plan = join(desk.folder, 'kills.json');
    const kills: PlannedKill[] = [
      { point: 'prompt.recorded', after: 1 },
      { point: 'prompt.recorded', after: 60 },
      { point: 'prompt.replied', after: 50 },
    ];
    writeFileSync(plan, JSON.stringify(kills));
    const from = model.calls.length;
    const times: number[] = [];
    let finished: Finished | undefined;
    for (let attempt = 0; attempt <= kills.length; attempt += 1) {
      finished = await desk.run(command('points'), killSwitchEnvironment(plan));
      times.push(Date.now());
      if (finished.code !== null) break;
    }
    expect(answerOf(finished as Finished)).toBe(PROMPTS);
    const again = askedAgain(from, times);
    console.log(`answered and asked again: ${again.length}`);
    expect(again.filter(({ before }) => before > ON_ITS_WAY_MS).length).toBeLessThanOrEqual(1);
    expect(await callsPaidAgain(desk.state, 'points', model.calls)).toEqual([]);
  }, 180_000);
});

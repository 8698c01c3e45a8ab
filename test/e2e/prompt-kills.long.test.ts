import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import {
  killSwitchEnvironment,
  forTask,
  startScriptedModel,
  withCode,
  type PlannedKill,
  type ScriptedModel,
} from '../../src/testing/index.ts';
import { sized } from '../sizes.ts';
import { callsPaidAgain } from './books.ts';
import { createDesk, type Desk } from './command.ts';
import { notingAnswers } from './note-answers.ts';
import { makeRepository } from './world.ts';

const PROMPTS = sized(60, 300);
const TASK = `Ask ${PROMPTS} prompts`;
const CODE = `answers = llm_query_batched([f"q{i}" for i in range(${PROMPTS})])\nFINAL([a == f"re q{i}" for i, a in enumerate(answers)].count(True))`;

let desk: Desk;
let model: ScriptedModel;

beforeAll(async () => {
  desk = await createDesk();
  makeRepository(join(desk.folder, 'repository'), { 'a.py': 'x = 1\n' });
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

const command = ['run', 'repository', '-p', TASK, '--id', 'kills', '--json', '-q'];

it(`of ${PROMPTS} prompts none whose answer a process had read is asked again after kill -9`, async () => {
  const [plan, notes] = [join(desk.folder, 'kills.json'), join(desk.folder, 'answers')];
  // The last of these kills strikes with an answer in hand: read, and not yet in the journal.
  const inHandThen: PlannedKill = { point: 'prompt.replied', after: PROMPTS / 6 };
  const planned = sized<PlannedKill[]>([inHandThen], [{ point: 'prompt.recorded', after: 1 }, inHandThen]);
  writeFileSync(plan, JSON.stringify(planned));
  const [noting, killing] = [notingAnswers(notes), killSwitchEnvironment(plan)];
  const both = { ...noting, ...killing, NODE_OPTIONS: `${noting['NODE_OPTIONS']} ${killing['NODE_OPTIONS']}` };
  for (const _ of planned) expect(await desk.run(command, both)).toMatchObject({ code: null });

  let inFlight = 0;
  const shares = sized([0.5], [0.4, 0.7]).map((share) => share * PROMPTS);
  for (const share of shares) {
    const running = desk.start(command, noting);
    // Among them the call of the agent's own.
    await model.when(() => model.count(({ outcome }) => outcome === 'answered') >= share, 60_000);
    running.kill();
    inFlight += model.count(({ outcome }) => outcome === 'pending');
    await running.finished;
  }
  const { code, stdout, stderr } = await desk.run(command, noting);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout.toString())).toMatchObject({ answer: String(PROMPTS) });

  const read = readFileSync(notes, 'utf8').split('\n').filter(Boolean);
  const inHand = read.filter((key, at) => read.indexOf(key) < at);
  const again = model.calls.filter(({ keyAnsweredBefore }) => keyAnsweredBefore > 0);
  console.log(`asked again: ${again.length} that the server had answered, ${inHand.length} that a process had read`);
  expect(new Set(read).size).toBeGreaterThanOrEqual(PROMPTS);
  expect(inFlight).toBeGreaterThan(PROMPTS / 6);
  // One thread reads answers and writes them: a kill meets at most one in between.
  expect(inHand.length).toBeLessThanOrEqual(1 + shares.length);
  expect(await callsPaidAgain(desk.state, 'kills', model.calls)).toEqual([]);
}, 180_000);

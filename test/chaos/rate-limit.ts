/**
 * Many prompts of one batch behind a provider's rate limit, with `rlm run` killed (kill -9) at shares of the way; all
 * real but the model. docs/reliability.md has the result.
 *
 *     npx node test/chaos/rate-limit.ts [--prompts 1090] [--requests 500] [--window 60] [--kills 0.2,0.45,0.7]
 *
 * Exit code 1 when an answer is missing, or a prompt was asked again whose answer a process had read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { forTask, startScriptedModel, withCode } from '../../src/testing/index.ts';
import { callsPaidAgain } from '../e2e/books.ts';
import { createDesk } from '../e2e/command.ts';
import { HINTS, limitedProvider, type Hint } from '../e2e/limited-provider.ts';
import { notingAnswers } from '../e2e/note-answers.ts';
import { makeRepository } from '../e2e/world.ts';

const { values } = parseArgs({
  options: {
    prompts: { type: 'string', default: '1090' },
    requests: { type: 'string', default: '500' },
    window: { type: 'string', default: '60' },
    kills: { type: 'string', default: '0.2,0.45,0.7' },
  },
});
const prompts = Number(values.prompts);
const window = { requests: Number(values.requests), ms: Number(values.window) * 1000 };
const kills = values.kills === '' ? [] : values.kills.split(',').map(Number);

interface Result {
  readonly right: boolean;
  readonly refused: number;
  readonly seconds: number;
  /** Of answered prompts that were asked again: all, and those whose answer a process had read. */
  readonly again: number;
  readonly inHand: number;
}

async function play(name: string, hint: Hint): Promise<Result> {
  const desk = await createDesk();
  makeRepository(join(desk.folder, 'repository'), { 'a.py': 'x = 1\n' });
  const provider = limitedProvider(window, hint);
  const task = `Ask ${prompts} prompts`;
  const code = `answers = llm_query_batched([f"q{i}" for i in range(${prompts})])\nFINAL([a == f"re q{i}" for i, a in enumerate(answers)].count(True))`;
  const model = await startScriptedModel({
    scripts: [
      forTask(task, [withCode(code)]),
      ({ messages, last }) =>
        messages.length === 1
          ? provider({ text: `re ${last}`, latencyMs: 500 + ((Number(last.slice(1)) * 7919) % 1000) })
          : undefined,
    ],
  });
  try {
    const config = { ...desk.settings, model: { name: 'openai/scripted', base_url: model.url } };
    desk.configure(stringify({ ...config, rlm: { max_llm_calls: prompts } }));
    const notes = join(desk.folder, 'answers');
    const command = ['run', 'repository', '-p', task, '--id', 'limited', '--json', '-q'];
    const began = Date.now();
    for (const share of kills) {
      const running = desk.start(command, notingAnswers(notes));
      const answered = (): number => model.count(({ outcome }) => outcome === 'answered');
      await model.when(() => answered() >= share * prompts, 600_000);
      running.kill();
      await running.finished;
    }
    const { code: exit, stdout, stderr } = await desk.run(command, notingAnswers(notes));
    if (exit !== 0) throw new Error(`${name}: exit ${exit}: ${stderr}`);
    const { answer } = JSON.parse(stdout.toString()) as { answer: string };
    const read = readFileSync(notes, 'utf8').split('\n').filter(Boolean);
    const counts = Map.groupBy(read, (key) => key);
    const paid = await callsPaidAgain(desk.state, 'limited', model.calls);
    return {
      right: Number(answer) === prompts && paid.length === 0,
      refused: model.count(({ outcome }) => outcome === 'failed'),
      seconds: Math.round((Date.now() - began) / 1000),
      again: model.count(({ keyAnsweredBefore }) => keyAnsweredBefore > 0),
      inHand: [...counts.values()].filter(({ length }) => length > 1).length,
    };
  } finally {
    await desk.close();
    await model.close({ check: false });
  }
}

console.log(`${prompts} prompts, ${window.requests} requests in ${values.window} s, ${kills.length} kills`);
for (const [name, hint] of Object.entries(HINTS)) {
  const { right, refused, seconds, again, inHand } = await play(name, hint);
  const paidTwice = `answered before a kill and asked again ${again}, of these read by the process ${inHand}`;
  console.log(`${name}: ${right ? 'all answers right' : 'WRONG'}, ${seconds} s, refused ${refused}; ${paidTwice}`);
  // One thread reads answers and writes them: a kill meets at most one in between.
  if (!right || inHand > kills.length) process.exitCode = 1;
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { cacheDirectory } from '../../src/config/directories.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { forTask, withCode, type Script, type ScriptedModel } from '../../src/testing/index.ts';
import { parseMetrics } from '../worker/prometheus.ts';
import { createDesk, says, type Desk } from './command.ts';
import { createWorld, TASK_QUEUE, type World } from './world.ts';

/** However large what the code of one agent hands over is: the worker, which serves others as well, is never away for long. */
vi.setConfig({ testTimeout: 300_000 });

/**
 * On an idle machine two seconds at most, for a million values whose keys are integers; this is for one that is slow and loaded.
 * What grows with the square of a call takes minutes.
 */
const MAX_LAG_SECONDS = 15;
const MILLION = 1_000_000;

interface Case {
  readonly name: string;
  readonly code: string;
  readonly answer: unknown;
  /** Of an analysis. */
  readonly signature?: string;
}

const CASES: readonly Case[] = [
  {
    name: 'a million prompts in one batch',
    code: 'r = llm_query_batched(["x"] * 1_000_000)\nFINAL([len(r), r[-1][:6]])',
    answer: [MILLION, 'Error:'],
  },
  {
    name: 'as many long prompts as one batch holds',
    code: 'r = llm_query_batched(["echo " + "x" * 12_000] * 4000)\nFINAL([len(r), r[-1][:6]])',
    answer: [4000, 'echoed'],
  },
  {
    name: '400,000 variables',
    code: 'r = rlm_query("sub", **{f"v{i}": i for i in range(400_000)})\nSUBMIT(r[:6])',
    signature: '-> out: str',
    answer: { out: 'Error:' },
  },
  {
    name: 'as many variables as a call holds',
    code: 'r = rlm_query_batched(["sub"] * 5, **{f"v{i}": [[0] * 1000] * 5 for i in range(100)})\nSUBMIT([len(r), r[0]])',
    signature: '-> out: list',
    answer: { out: [5, 'done'] },
  },
  {
    name: 'a million values',
    code: 'FINAL([[i] for i in range(499_000)])',
    answer: Array.from({ length: 499_000 }, (_, at) => [at]),
  },
  {
    name: 'a dict of integers',
    code: 'FINAL([{str(i): i for i in range(99_000, 0, -1)} for _ in range(9)][0]["1"])',
    answer: 1,
  },
  {
    name: 'dicts of 900,000 integers',
    code: 'd = {str(i): i for i in range(99_000, 0, -1)}\nFINAL([d] * 9)',
    answer: expect.any(Array),
  },
  {
    name: 'an answer of 100 MB',
    code: 'try: FINAL("x" * 100_000_000)\nexcept Exception as error: FINAL(str(error)[:5])',
    answer: expect.any(String),
  },
  {
    name: 'an answer of the greatest length allowed',
    code: 'FINAL("é" * 30_000_000)',
    answer: 'é'.repeat(30 * MILLION),
  },
  {
    name: 'a report of 100,000 lines',
    code: 'r = rlm_query("lines")\nFINAL([len(r.full.splitlines()), len(r) < len(r.full)])',
    answer: [100_000, true],
  },
  {
    name: 'a reply of 100 MB',
    code: 'r = llm_query("long")\nFINAL(len(r))',
    answer: expect.any(Number),
  },
  {
    name: 'much output',
    code: 'import sys\nfor _ in range(2): print("é" * 30_000_000)\nFINAL("printed", )',
    answer: 'printed',
  },
];

const SUB_AGENTS: readonly Script[] = [
  forTask(/^sub$/m, [withCode('FINAL("done")')]),
  forTask(/^lines$/m, [withCode('FINAL("\\n".join(f"line {i}" for i in range(100_000)))')]),
];

describe('a worker that is handed', () => {
  let world: World;
  let desk: Desk;
  let model: ScriptedModel;
  let metrics: string;

  beforeAll(async () => {
    [world, desk] = await Promise.all([createWorld('local'), createDesk('local')]);
    model = await world.startModel({
      scripts: [
        ...CASES.map(({ name, code }) => forTask(`case: ${name}.`, [withCode(code)])),
        ...SUB_AGENTS,
        ({ messages, last }) => {
          if (messages.length > 1) return undefined;
          return last === 'long' ? 'x'.repeat(100 * MILLION) : `echoed ${last.length}`;
        },
      ],
    });
    const state = join(world.folder, 'worker');
    mkdirSync(state, { mode: 0o700 });
    const config = join(state, 'config.yaml');
    const storage = { path: join(world.folder, 'state', 'blobs') };
    const allow = { endpoints: [{ base_url: model.url }], folders: [world.folder] };
    writeFileSync(config, stringify({ storage, worker: { allow }, rlm: { max_llm_calls: 10_000 } }));
    const worker = desk.start(
      ['worker', '--address', world.server.address, '-c', config, '--metrics-port', '0', '--log-format', 'json'],
      { DURABLE_RLM_STATE: state, DURABLE_RLM_CACHE: cacheDirectory(process.env) },
    );
    await says(worker, /working/);
    metrics = `http://127.0.0.1:${/"port":(\d+)/.exec(worker.stderr())?.[1]}/metrics`;
  }, 120_000);
  afterAll(async () => {
    await desk.close();
    await world.close();
  });

  /** Seconds for which its event loop stood still at most since this was asked before. */
  async function lag(): Promise<number> {
    const { samples } = parseMetrics(await (await fetch(metrics)).text());
    const found = samples.find(({ name }) => name === 'nodejs_eventloop_lag_max_seconds');
    if (found === undefined) throw new Error('the worker does not tell its lag');
    return found.value;
  }

  it.each(CASES)('$name continues with the work of others', async ({ name, answer, signature }) => {
    await delay(500);
    await lag();
    const began = performance.now();
    const task =
      signature === undefined
        ? { repo: world.repository, prompt: `case: ${name}.` }
        : { signature, instructions: `case: ${name}.` };
    const handle = await world.client.workflow.start(signature === undefined ? 'investigate' : 'analyze', {
      workflowId: `large-${name.replaceAll(/\W+/g, '-')}`,
      taskQueue: TASK_QUEUE,
      args: [
        {
          ...task,
          config: { model: { name: 'openai/scripted', base_url: model.url }, rlm: { max_llm_calls: 10_000 } },
        },
      ],
    });
    const outcome = (await handle.result()) as RunOutcome;
    const stood = await lag();
    console.log(
      `${name}: stood still for ${stood.toFixed(2)} s in ${((performance.now() - began) / 1000).toFixed(1)} s`,
    );
    expect(await world.answer(outcome)).toEqual(answer);
    expect(stood).toBeLessThan(MAX_LAG_SECONDS);
  });
});

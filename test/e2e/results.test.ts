import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { presentRun } from '../../src/cli/present-run.ts';
import { stringifyJson } from '../../src/domain/ordered-json.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { runDocument } from '../../src/results/run-document.ts';
import { resultsDetail } from '../../src/results/results-files.ts';
import { createRunReader } from '../../src/results/run-reader.ts';
import { findRun } from '../../src/results/find-run.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 120_000 });

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
}, 300_000);

afterAll(() => world.close());

const CUT = { rlm: { result_truncation_limit: 100 } };

/** What a person sees of a run that has ended: `--json`, the plain result, and the results file. */
async function seen(outcome: RunOutcome): Promise<{ json: string; plain: string; file: string }> {
  const { blobs } = world;
  const run = await findRun(blobs, outcome.run_id);
  if (run === undefined) throw new Error('no such run');
  const reader = createRunReader(blobs, { run: run.run, execution: run.execution });
  const snapshot = await reader.snapshot();
  if (snapshot === undefined) throw new Error('nothing of it is stored');
  const document = await runDocument(blobs, snapshot, { status: 'completed', results: null, now: Date.now() });
  const printed = async (json: boolean): Promise<string> => {
    const stdout = new PassThrough();
    const io = { stdout, stderr: new PassThrough().resume(), env: {} } as unknown as Io;
    const all = text(stdout);
    await presentRun(io, world.folder, document, { json });
    stdout.end();
    return all;
  };
  return {
    json: await printed(true),
    plain: await printed(false),
    file: stringifyJson(await resultsDetail(blobs, reader, snapshot), 2),
  };
}

const answerIn = (json: string): unknown => (JSON.parse(json) as { readonly answer: unknown }).answer;

describe.concurrent('an answer', () => {
  it.each([
    ['text', '"x" * 100_000', 'x'.repeat(100_000)],
    ['a list', 'list(range(2000))', Array.from({ length: 2000 }, (_, index) => index)],
  ])('that is long, %s, is a flagged preview in Temporal and whole everywhere else', async (id, code, whole) => {
    const model = await world.startModel({ scripts: forTask(`long ${id}`, [withCode(`FINAL(${code})`)]) });
    const outcome = await world.run({ id: `long-${id.replace(' ', '-')}`, prompt: `long ${id}`, model });
    expect(outcome).toMatchObject({ status: 'completed', answer_truncated: true });
    expect(outcome.answer).toHaveLength(4000);
    const { json, plain, file } = await seen(outcome);
    for (const printed of [json, file]) expect(answerIn(printed)).toEqual(whole);
    expect(plain).toBe(`${typeof whole === 'string' ? whole : JSON.stringify(whole)}\n`);
    await model.close();
  });

  it.each([
    ['exactly as long as a preview', '"x" * 4000', 'x'.repeat(4000)],
    ['short', '"x"', 'x'],
    ['empty', '""', ''],
  ])('that is %s is all there in Temporal', async (id, code, whole) => {
    const model = await world.startModel({ scripts: forTask(`task ${id}`, [withCode(`FINAL(${code})`)]) });
    const outcome = await world.run({ id: `whole-${id.replaceAll(' ', '-')}`, prompt: `task ${id}`, model });
    expect(outcome).toMatchObject({ answer: whole, answer_truncated: false });
    await model.close();
  });

  it('keeps the order of keys that look like integers, from a sub-agent to what is printed', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('by year', [
          withCode('import json\nr = json.loads(rlm_query("their years"))\nprint(list(r))'),
          withCode('FINAL({"theirs": r, 2023: {"9": 1, 1: 2}, 2021: [{"3": 1, "2": 2}], "x": 0})'),
        ]),
        forTask('their years', [withCode('FINAL({1999: "a", 1815: "b", "c": {10: 1, 2: 2}})')]),
      ],
    });
    const outcome = await world.run({ id: 'years', prompt: 'by year', model });
    const whole =
      '{"theirs":{"1999":"a","1815":"b","c":{"10":1,"2":2}},"2023":{"9":1,"1":2},"2021":[{"3":1,"2":2}],"x":0}';
    expect(outcome.answer).toBe(whole);
    const { json, plain, file } = await seen(outcome);
    expect(plain).toBe(`${whole}\n`);
    for (const printed of [json, file]) expect(printed.replaceAll(/\s/g, '')).toContain(`"answer":${whole}`);
    await model.close();
  });

  it('of an analysis keeps that order too, and so do inputs of sub-agents', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('totals by year', [
          withCode('r = rlm_query("which order?", table={"2023": 1, "2021": 2})\nprint(r)'),
          withCode('SUBMIT(totals={2023: {"b": 1, "7": 2, "3": 3}, 2021: {}}, order=r)'),
        ]),
        forTask('which order?', [withCode('FINAL(" ".join(table))')]),
      ],
    });
    const outcome = await world.analyze({
      id: 'totals',
      signature: 'question -> totals: dict[int, dict], order',
      inputs: { question: 'totals by year' },
      instructions: 'totals by year',
      model,
    });
    expect(outcome.answer).toBe('{"totals":{"2023":{"b":1,"7":2,"3":3},"2021":{}},"order":"2023 2021"}');
    const { json, plain, file } = await seen(outcome);
    for (const printed of [json, plain, file]) {
      expect(printed.replaceAll(/\s(?!2021")/g, '')).toContain(
        '{"totals":{"2023":{"b":1,"7":2,"3":3},"2021":{}},"order":"2023 2021"}',
      );
    }
    await model.close();
  });
});

/** `short` in a task: its report is short. */
const reports = (tasks: readonly string[]) =>
  tasks.map((task) =>
    forTask(task, [
      withCode(task.startsWith('short') ? `FINAL("${task}")` : `FINAL("${task} " + "é\u{1f600}" * 1000)`),
    ]),
  );

const whole = (task: string): string => `${task} ${'é\u{1f600}'.repeat(1000)}`;

describe.concurrent('the report of a sub-agent that is over the limit', () => {
  it('says so at its beginning, and .full is all of it: alone, in batches, threads and asyncio', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('gather', [
          withCode(`
import asyncio
from concurrent.futures import ThreadPoolExecutor
one = rlm_query("long one")
batch = rlm_query_batched(["long b1", "short b2", "long b3"])
with ThreadPoolExecutor(2) as pool:
    pooled = list(pool.map(rlm_query, ["long p1", "short p2"]))
awaited = await asyncio.gather(*(asyncio.to_thread(rlm_query, t) for t in ["short a1", "long a2"]))
everything = [one, *batch, *pooled, *awaited]`),
          withCode('FINAL([[r[:23] for r in everything], [r.full for r in everything], max(map(len, everything))])'),
        ]),
        ...reports(['long one', 'long b1', 'short b2', 'long b3', 'long p1', 'short p2', 'short a1', 'long a2']),
      ],
    });
    const outcome = await world.run({ id: 'gather', prompt: 'gather', model, config: CUT });
    const cut = '[This report is cut: it';
    expect(await world.answer(outcome)).toEqual([
      [cut, cut, 'short b2', cut, cut, 'short p2', 'short a1', cut],
      [
        whole('long one'),
        whole('long b1'),
        'short b2',
        whole('long b3'),
        whole('long p1'),
        'short p2',
        'short a1',
        whole('long a2'),
      ],
      expect.any(Number),
    ]);
    const [, , longest] = (await world.answer(outcome)) as [unknown, unknown, number];
    expect(longest).toBeLessThan(250);
    await model.close();
  });

  it('is the same again when the sandbox was lost and its blocks ran anew', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('lose it', [
          withCode('r = rlm_query("long first")\nb = rlm_query_batched(["short second", "long third"])\nprint(r)'),
          async () => {
            await world.killSandbox('lost-reports', '0');
            return withCode('FINAL([r.full, r, [x.full for x in b]])');
          },
        ]),
        ...reports(['long first', 'short second', 'long third']),
      ],
    });
    const outcome = await world.run({ id: 'lost-reports', prompt: 'lose it', model, config: CUT });
    expect(await world.answer(outcome)).toEqual([
      whole('long first'),
      expect.stringMatching(
        /^\[This report is cut: it has 3,011 characters\. Its \.full is all of it\.\]\nlong first é/,
      ),
      ['short second', whole('long third')],
    ]);
    expect(outcome.sandboxes).toBe(5);
    await model.close();
  });

  it('of an agent that failed says first that it did', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('see it fail', [
          withCode('r = rlm_query("a failure")\nprint(r)'),
          withCode('FINAL([r[:6], r.full[:6], "[This report is cut" in r, len(r.full) > 1900, len(r) < 600])'),
        ]),
        forTask('a failure', [withCode('print("y" * 1900)'), { error: { status: 400 } }]),
      ],
    });
    const outcome = await world.run({ id: 'failing-report', prompt: 'see it fail', model, config: CUT });
    expect(await world.answer(outcome)).toEqual(['Error:', 'Error:', true, true, true]);
    await model.close();
  });
});

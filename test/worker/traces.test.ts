import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunOutcome } from '../../src/domain/records.ts';
import { createTraces } from '../../src/telemetry/traces.ts';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, type World } from '../e2e/world.ts';
import { above, attributeOf, encodingProblems, nestingProblems, readTraceFile, type OtlpSpan } from './trace-file.ts';

let world: World;
let outcome: RunOutcome;
let spans: readonly OtlpSpan[];

beforeAll(async () => {
  world = await createWorld();
  const file = join(world.folder, 'trace.jsonl');
  const complaints: string[] = [];
  const traces = await createTraces({ file, env: {}, version: 'test', onError: (text) => complaints.push(text) });
  const worker = await world.startWorker({ traces });
  const model = await world.startModel({
    scripts: [
      forTask('the root of the tree', [
        withCode('print("first")'),
        withCode('a = rlm_query_batched(["part 1", "part 2"])\nprint(llm_query_batched(["q"] * 12))'),
        withCode('FINAL([a, rlm_query("part 3")])'),
      ]),
      forTask('part 1', [withCode('FINAL(rlm_query("below part 1"))')], {
        when: ({ opening }) => !opening.includes('below'),
      }),
      forTask(/below|part [23]/, [withCode('1/0'), withCode('FINAL(task)')]),
      (conversation) => (conversation.messages.length === 1 ? 'a' : undefined),
    ],
  });
  outcome = await world.run({ id: 'traced', prompt: 'the root of the tree', model });
  // The spans of a workflow are on their way when its result is.
  await worker.shutdown();
  await traces?.close();
  expect(complaints).toEqual([]);
  spans = readTraceFile(file);
});
afterAll(() => world.close());

const named = (name: string): OtlpSpan | undefined => spans.find((span) => span.name === name);
const withName = (pattern: RegExp): OtlpSpan[] => spans.filter(({ name }) => pattern.test(name));
const namesAbove = (span: OtlpSpan): string[] => above(spans, span).map(({ name }) => name);

describe('the trace of a run', () => {
  it('is OTLP in its JSON encoding', () => {
    expect(encodingProblems(spans)).toEqual([]);
    const times = spans.map(({ startTimeUnixNano }) => Number(BigInt(startTimeUnixNano) / 1_000_000n));
    expect(Math.max(...times)).toBeLessThanOrEqual(Date.now());
  });

  it('nests agents as the run had them: agent, iteration, call, agent', async () => {
    const agents = (await world.agents('traced')).map(({ agent }) => agent);
    expect(agents).toEqual(['0', '0.1', '0.1.1', '0.2', '0.3']);
    expect(nestingProblems(spans, 'traced', agents)).toEqual([]);
  });

  it('has every iteration, with its model call and its blocks below it', () => {
    const iterations = withName(/^iteration /);
    expect(iterations).toHaveLength(outcome.iterations);
    for (const iteration of iterations) {
      const below = spans.filter(({ parentSpanId }) => parentSpanId === iteration.spanId).map(({ name }) => name);
      expect(below.filter((name) => name.startsWith('chat '))).toHaveLength(1);
      expect(below.filter((name) => name.startsWith('block '))).toHaveLength(1);
    }
  });

  it('shows prompts of llm_query below their call, and activities below what they were for', () => {
    const prompts = withName(/^chat /).filter((span) => namesAbove(span)[1] === 'answerPrompts');
    expect(prompts).toHaveLength(12);
    expect(namesAbove(prompts[0] as OtlpSpan).slice(0, 4)).toEqual([
      'answerPrompts attempt 1',
      'answerPrompts',
      'llm_query_batched',
      'iteration 2',
    ]);
    for (const attempt of withName(/ attempt 1$/)) expect(`${namesAbove(attempt)[0]} attempt 1`).toBe(attempt.name);
  });

  it('says what was spent, and where code failed', () => {
    const run = named('run traced');
    expect(attributeOf(run, 'rlm.agents')).toBe(outcome.agents);
    expect(attributeOf(run, 'rlm.status')).toBe('completed');
    const tokens = withName(/^chat /).reduce(
      (sum, span) => sum + Number(attributeOf(span, 'gen_ai.usage.input_tokens')),
      0,
    );
    expect(tokens).toBe(outcome.usage.input_tokens);
    expect(attributeOf(run, 'gen_ai.usage.input_tokens')).toBe(outcome.usage.input_tokens);
    expect(attributeOf(named('agent 0.1'), 'rlm.depth')).toBe(1);
    const failed = withName(/^block /).filter(({ status }) => status.code === 2);
    expect(failed.map(({ status }) => status.message)).toEqual(Array(3).fill('ZeroDivisionError: division by zero'));
  });

  it('puts every span between beginning and end of the one above it', () => {
    const slack = 50_000_000n; // Clocks of the server and of the worker.
    const outside = spans.filter((span) => {
      const [parent] = above(spans, span);
      if (parent === undefined) return false;
      return (
        BigInt(span.startTimeUnixNano) < BigInt(parent.startTimeUnixNano) - slack ||
        BigInt(span.endTimeUnixNano) > BigInt(parent.endTimeUnixNano) + slack
      );
    });
    expect(outside.map((span) => [span.name, ...namesAbove(span)])).toEqual([]);
  });
});

it('a trace is whole when another worker takes its run up in the middle', async () => {
  const file = join(world.folder, 'shared.jsonl');
  const open = (): ReturnType<typeof createTraces> =>
    createTraces({ file, env: {}, version: 'test', onError: (text) => world.log.push(text) });
  let goOn: () => void = () => undefined;
  const later = new Promise<void>((resolve) => (goOn = resolve));
  const model = await world.startModel({
    scripts: [
      forTask('change hands', [
        withCode('a = rlm_query("the first part")'),
        withCode('FINAL(rlm_query("the second part"))'),
      ]),
      forTask('the first part', [withCode('FINAL(1)')]),
      forTask('the second part', [
        async () => {
          await later;
          return withCode('FINAL(2)');
        },
      ]),
    ],
  });
  const [first, second] = [await open(), await open()];
  const worker = await world.startWorker({ traces: first });
  const run = await world.start({ id: 'handed-on', prompt: 'change hands', model });
  await model.when(({ task }) => task.includes('the second part'));
  await worker.shutdown();
  await first?.close();
  const next = await world.startWorker({ traces: second });
  goOn();
  await run.result();
  await next.shutdown();
  await second?.close();
  const all = readTraceFile(file);
  const agents = (await world.agents('handed-on')).map(({ agent }) => agent);
  expect(agents).toEqual(['0', '0.1', '0.2']);
  expect(nestingProblems(all, 'handed-on', agents)).toEqual([]);
  expect(encodingProblems(all)).toEqual([]);
});

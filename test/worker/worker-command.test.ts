import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect, embeddedTarget } from '../../src/temporal/connection.ts';
import { attempts, forTask, withCode } from '../../src/testing/index.ts';
import { createDesk, type Desk, type RunningCommand } from '../e2e/command.ts';
import { createWorld, type World } from '../e2e/world.ts';
import { kill, serverOptions, startServer } from '../temporal/fixtures.ts';
import { parseMetrics, type Sample } from './prometheus.ts';

let world: World;
let desk: Desk;
/** The one that the first tests share. */
let worker: Worker;
beforeAll(async () => {
  [world, desk] = await Promise.all([createWorld(), createDesk()]);
});
afterAll(async () => {
  await desk.close();
  await world.close();
});

interface Line {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

interface Worker extends RunningCommand {
  readonly url: string;
  lines(): Line[];
}

/** `rlm worker` on a server, with metrics and health on a port of its own. */
async function startWorker(address: string, ...args: string[]): Promise<Worker> {
  const ports = ['--metrics-port', '0', '--health-port', '0'];
  const command = desk.start(['worker', '--address', address, '--log-format', 'json', ...ports, ...args], {
    DURABLE_RLM_STATE: join(world.folder, 'state'),
    DURABLE_RLM_CACHE: join(world.folder, 'cache'),
  });
  const lines = (): Line[] =>
    command
      .stderr()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  await vi.waitFor(() => expect(lines().map(({ message }) => message)).toContain('working'), WAIT);
  const port = lines().find(({ message }) => message === 'serving')?.['port'];
  return { ...command, lines, url: `http://127.0.0.1:${String(port)}` };
}

const WAIT = { timeout: 60_000, interval: 50 };

async function statusOf({ url }: Worker, path: string): Promise<{ status: number; reasons: readonly string[] }> {
  const response = await fetch(`${url}${path}`);
  const { reasons = [] } = (await response.json()) as { reasons?: readonly string[] };
  return { status: response.status, reasons };
}

/** Resolves once the worker has been told to end. */
async function terminate(one: Worker): Promise<void> {
  process.kill(one.pid, 'SIGTERM');
  await vi.waitFor(() => expect(one.lines().map(({ message }) => message)).toContain('draining'), WAIT);
}

describe('metrics of rlm worker', () => {
  it('say what a run did, and Temporal says its part in the same scrape; lines name run and agent', async () => {
    const model = await world.startModel({
      scripts: [
        forTask('measure me', [
          withCode('reports = rlm_query_batched(["part 1", "part 2"])'),
          withCode('FINAL(llm_query_batched(["plain", "flaky"] + ["more"] * 3))'),
        ]),
        forTask('part', [withCode('1/0'), withCode('FINAL(task)')]),
        forTask('flaky', [attempts({ error: { status: 500 } }, 'a')]),
        ({ messages }) => (messages.length === 1 ? 'a' : undefined),
      ],
    });
    worker = await startWorker(world.server.address, '--drain', '20');
    const outcome = await world.run({ id: 'measured', prompt: 'measure me', model });
    expect(outcome).toMatchObject({ status: 'completed', agents: 3, iterations: 6 });
    await vi.waitFor(() => expect(worker.lines().map(({ message }) => message)).toContain('run ended'), WAIT);
    const response = await fetch(`${worker.url}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const { samples, problems } = parseMetrics(await response.text());
    expect(problems).toEqual([]);
    const total = (name: string, labels: Sample['labels'] = {}): number =>
      samples
        .filter((sample) => sample.name === name)
        .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0);
    const { usage } = outcome;
    expect(total('rlm_iterations_total')).toBe(outcome.iterations);
    // An activity was tried twice for the one that failed: what was answered the first time is not counted again.
    expect(total('rlm_model_calls_total', { outcome: 'answered' })).toBe(usage.llm_calls);
    expect(total('rlm_model_calls_total', { outcome: 'Model.Unavailable' })).toBe(1);
    expect(total('rlm_model_call_seconds_count')).toBe(usage.llm_calls + 1);
    expect(total('rlm_llm_query_prompts_total')).toBe(5);
    expect(total('rlm_tokens_total', { direction: 'input' })).toBe(usage.input_tokens);
    expect(total('rlm_tokens_total', { direction: 'output' })).toBe(usage.output_tokens);
    expect(total('rlm_cost_usd_total')).toBeCloseTo(usage.cost, 9);
    expect(total('rlm_block_seconds_count', { status: 'ok' })).toBe(4);
    expect(total('rlm_block_seconds_count', { status: 'error' })).toBe(2);
    expect(total('rlm_agents_ended_total', { status: 'completed' })).toBe(3);
    expect(total('rlm_runs_ended_total', { status: 'completed' })).toBe(1);
    expect(total('rlm_sandbox_create_seconds_count', { provider: 'local' })).toBe(outcome.sandboxes);
    expect(total('rlm_sandboxes_alive', { provider: 'local' })).toBe(0);
    expect(total('rlm_sandboxes_lost_total')).toBe(0);
    expect(samples.some(({ name }) => name === 'rlm_agents_open')).toBe(true);
    expect(total('temporal_workflow_completed_total', { workflow_type: 'agent' })).toBe(3);
    expect(total('temporal_activity_execution_latency_milliseconds_count')).toBeGreaterThan(3);

    const about = worker.lines().filter(({ run }) => run === 'measured');
    expect(
      about
        .filter(({ message }) => message === 'agent ended')
        .map(({ agent }) => String(agent))
        .toSorted(),
    ).toEqual(['0', '0.1', '0.2']);
    expect(about.filter(({ message, level }) => message === 'model call' && level === 'warn')).toHaveLength(1);
    expect(worker.stderr()).not.toContain('key-of-the-tests');
  });
});

describe('the end of rlm worker', () => {
  it('lets a model call under way come to its end, and takes nothing new', async () => {
    let answer: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (answer = resolve));
    const model = await world.startModel({
      scripts: forTask('drain me', [
        async () => {
          await asked;
          return 'No code, just thoughts.';
        },
        withCode('FINAL("after")'),
      ]),
    });
    const run = await world.start({ id: 'drained', prompt: 'drain me', model });
    await model.when(({ outcome }) => outcome === 'pending');
    await terminate(worker);
    expect(await statusOf(worker, '/ready')).toMatchObject({ status: 503 });
    expect(await statusOf(worker, '/health')).toMatchObject({ status: 200 });
    answer();
    expect(await worker.finished).toMatchObject({ code: 0 });
    expect(model.calls.map(({ outcome }) => outcome)).toEqual(['answered']);

    worker = await startWorker(world.server.address, '--drain', '600');
    await run.result();
    expect(model.calls.map(({ outcome, askedBefore }) => [outcome, askedBefore])).toEqual([
      ['answered', 0],
      ['answered', 0],
    ]);
  });

  it('comes at once with a second signal', async () => {
    const model = await world.startModel({ scripts: forTask('do not wait', [{ hang: true }]) });
    const run = await world.start({ id: 'hurried', prompt: 'do not wait', model });
    await model.when(({ outcome }) => outcome === 'pending');
    await terminate(worker);
    process.kill(worker.pid, 'SIGTERM');
    expect(await worker.finished).toMatchObject({ code: 1 });
    await run.terminate();
  });
});

describe('health of rlm worker', () => {
  it('is good while it polls, and bad with the reason when the server has gone away', async () => {
    const server = await startServer(serverOptions());
    await (await connect(embeddedTarget(server))).close();
    const ofItsOwn = await startWorker(server.address);
    expect(await statusOf(ofItsOwn, '/health')).toEqual({ status: 200, reasons: [] });
    expect(await statusOf(ofItsOwn, '/ready')).toEqual({ status: 200, reasons: [] });
    await kill(server.process);
    await vi.waitFor(async () => {
      const { status, reasons } = await statusOf(ofItsOwn, '/health');
      expect(status).toBe(503);
      expect(reasons[0]).toMatch(/^the Temporal server does not answer/);
    }, WAIT);
    expect((await statusOf(ofItsOwn, '/ready')).status).toBe(503);
  });
});

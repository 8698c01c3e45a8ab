import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Listener } from './events.ts';
import type { Slots } from '../sandbox/slots.ts';

/** Upper bounds in seconds. */
const MODEL_SECONDS = [0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
const BLOCK_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600];
const CREATE_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Milliseconds for which an answer from elsewhere is taken again. */
const FRESH = 10_000;

/** What is not this worker's alone, asked for when it is scraped. */
export interface Levels {
  /** Agents whose workflows run on this task queue, on any worker. */
  readonly openAgents?: () => Promise<number>;
  /** Sandboxes of this cluster and namespace that a provider has, by the provider's name. */
  readonly aliveSandboxes?: () => Promise<Readonly<Record<string, number>>>;
  readonly models?: Pick<Slots, 'taken' | 'waiting'>;
  readonly sandboxes?: Pick<Slots, 'taken' | 'waiting'>;
}

export interface Metrics {
  readonly listen: Listener;
  /** Set once the worker is there. */
  observe(levels: Levels): void;
  /** In Prometheus's text format. */
  render(): Promise<string>;
}

/** Counts what a worker does, from its start on; see docs/observability.md for what each metric means. */
export function createMetrics(): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  let levels: Levels = {};

  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    { labelNames, buckets }: { labelNames: readonly Label[]; buckets: readonly number[] },
  ): Histogram<Label> => new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers });

  const modelCalls = counter('rlm_model_calls_total', 'Requests to models, by how they ended', [
    'model',
    'purpose',
    'outcome',
  ]);
  const modelSeconds = histogram('rlm_model_call_seconds', 'Seconds a request to a model took', {
    labelNames: ['model', 'purpose'],
    buckets: MODEL_SECONDS,
  });
  const tokens = counter('rlm_tokens_total', 'Tokens of answered requests', ['model', 'direction']);
  const cost = counter('rlm_cost_usd_total', 'US dollars for answered requests, where the price is known', ['model']);
  const prompts = counter('rlm_llm_query_prompts_total', 'Prompts of llm_query that were answered', ['model']);
  const iterations = counter('rlm_iterations_total', 'Iterations of agents', ['model']);
  const blocks = histogram('rlm_block_seconds', 'Seconds that a code block computed', {
    labelNames: ['status'],
    buckets: BLOCK_SECONDS,
  });
  const agentsEnded = counter('rlm_agents_ended_total', 'Agents that ended', ['status']);
  const runsEnded = counter('rlm_runs_ended_total', 'Runs that ended', ['status']);
  const created = histogram('rlm_sandbox_create_seconds', 'Seconds that making a sandbox took', {
    labelNames: ['provider'],
    buckets: CREATE_SECONDS,
  });
  const lost = counter('rlm_sandboxes_lost_total', 'Sandboxes found gone while their agent needed them', ['provider']);
  const swept = counter('rlm_sandbox_leaks_swept_total', 'Leftover sandboxes that the sweep removed', ['provider']);

  const openAgents = cached(async () => levels.openAgents?.());
  const aliveSandboxes = cached(async () => levels.aliveSandboxes?.());
  void new Gauge({
    name: 'rlm_agents_open',
    help: 'Agents whose workflows run on the task queue, over all workers',
    registers,
    async collect() {
      const count = await openAgents();
      if (count === undefined) this.remove();
      else this.set(count);
    },
  });
  void new Gauge({
    name: 'rlm_sandboxes_alive',
    help: 'Sandboxes that there are: on this host, or of this cluster and namespace at a provider elsewhere',
    labelNames: ['provider'],
    registers,
    async collect() {
      this.reset();
      for (const [provider, count] of Object.entries((await aliveSandboxes()) ?? {})) this.set({ provider }, count);
    },
  });
  for (const kind of ['taken', 'waiting'] as const) {
    void new Gauge({
      name: kind === 'taken' ? 'rlm_work_in_progress' : 'rlm_work_waiting',
      help:
        kind === 'taken'
          ? 'Model calls under way, and sandboxes being made or running code for this worker'
          : 'Model calls held back by model.max_concurrency, rate limits and --max-models, sandboxes by --max-sandboxes',
      labelNames: ['work'],
      registers,
      collect() {
        for (const work of ['models', 'sandboxes'] as const) this.set({ work }, levels[work]?.[kind] ?? 0);
      },
    });
  }

  return {
    listen(event) {
      switch (event.kind) {
        case 'model call': {
          const { model, purpose, outcome, usage } = event;
          modelCalls.inc({ model, purpose, outcome });
          modelSeconds.observe({ model, purpose }, event.seconds);
          if (usage === undefined) return;
          tokens.inc({ model, direction: 'input' }, usage.input_tokens);
          tokens.inc({ model, direction: 'output' }, usage.output_tokens);
          cost.inc({ model }, usage.cost);
          if (purpose === 'llm_query') prompts.inc({ model });
          return;
        }
        case 'iteration':
          return iterations.inc({ model: event.model });
        case 'block':
          return blocks.observe({ status: event.status }, event.seconds);
        case 'agent ended':
          return agentsEnded.inc({ status: event.status });
        case 'run ended':
          return runsEnded.inc({ status: event.status });
        case 'sandbox created':
          return created.observe({ provider: event.provider }, event.seconds);
        case 'sandbox lost':
          return lost.inc({ provider: event.provider });
        case 'sweep':
          return swept.inc({ provider: event.provider }, event.removed);
      }
    },
    observe(given) {
      levels = given;
    },
    render: () => register.metrics(),
  };
}

/** Asks at most once in ten seconds; yields nothing while the answer is unavailable. */
function cached<T>(ask: () => Promise<T | undefined>): () => Promise<T | undefined> {
  let last: { readonly at: number; readonly value: Promise<T | undefined> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at >= FRESH)
      last = { at: performance.now(), value: ask().catch(() => undefined) };
    return last.value;
  };
}

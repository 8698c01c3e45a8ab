import type { WorkerOptions } from '@temporalio/worker';
import { DYNAMIC_CONFIG } from '../../src/temporal/dev-server-arguments.ts';
import { SERVER_ENVIRONMENT } from '../../src/temporal/dev-server-launcher.ts';
import { WORKER_OPTIONS } from '../../src/temporal/worker-options.ts';

/** One way to run server and worker. */
export interface Variant {
  readonly name: string;
  readonly dynamicConfig: Readonly<Record<string, string>>;
  /** `--sqlite-pragma` values. */
  readonly pragmas: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly worker: Partial<WorkerOptions>;
  /** On a port of the loopback instead of behind the relay. */
  readonly direct?: boolean;
}

const PRAGMAS = ['journal_mode=wal', 'synchronous=1'];

/** What is shipped. */
export const shipped: Variant = {
  name: 'shipped',
  dynamicConfig: DYNAMIC_CONFIG,
  pragmas: PRAGMAS,
  env: SERVER_ENVIRONMENT,
  worker: WORKER_OPTIONS,
};

/** A server on a database file and a worker, as they come. */
const asItComes: Variant = { name: 'as it comes', dynamicConfig: {}, pragmas: [], env: {}, worker: {} };

/** The shipped way with something more. */
function variant(name: string, change: Partial<Variant>): Variant {
  return {
    ...shipped,
    name: `+ ${name}`,
    ...change,
    dynamicConfig: { ...shipped.dynamicConfig, ...change.dynamicConfig },
    pragmas: [...shipped.pragmas, ...(change.pragmas ?? [])],
    worker: { ...shipped.worker, ...change.worker },
  };
}

/** The shipped way with one line less. */
function lacking(key: string): Variant {
  const rest = Object.fromEntries(Object.entries(DYNAMIC_CONFIG).filter(([name]) => name !== key));
  return { ...shipped, name: `- ${key}`, dynamicConfig: rest };
}

export const VARIANTS: readonly Variant[] = [
  asItComes,
  shipped,
  ...Object.keys(DYNAMIC_CONFIG).map(lacking),
  variant('direct', { direct: true }),
  variant('partitions 1', {
    dynamicConfig: { 'matching.numTaskqueueReadPartitions': '1', 'matching.numTaskqueueWritePartitions': '1' },
  }),
  variant('transfer poll 1000', { dynamicConfig: { 'history.transferProcessorMaxPollRPS': '1000' } }),
  variant('timer poll 200', { dynamicConfig: { 'history.timerProcessorMaxPollRPS': '200' } }),
  variant('visibility poll 5', { dynamicConfig: { 'history.visibilityProcessorMaxPollRPS': '5' } }),
  variant('GOGC as it comes', { env: {} }),
  variant('GOMAXPROCS 1', { env: { ...SERVER_ENVIRONMENT, GOMAXPROCS: '1' } }),
  variant('exclusive', { pragmas: ['locking_mode=exclusive'] }),
  variant('memory temp, 64 MB cache', { pragmas: ['temp_store=memory', 'cache_size=-65536'] }),
  variant('mmap', { pragmas: ['mmap_size=268435456'] }),
  variant('checkpoint 10000', { pragmas: ['wal_autocheckpoint=10000'] }),
  variant('sync off', { pragmas: ['synchronous=0'] }),
  variant('host events cache', { dynamicConfig: { 'history.enableHostLevelEventsCache': 'true' } }),
  variant('parent close in place', { dynamicConfig: { 'system.enableParentClosePolicyWorker': 'false' } }),
  variant('workflow tasks 200', { worker: { maxConcurrentWorkflowTaskExecutions: 200 } }),
  variant('no V8 reuse', { worker: { reuseV8Context: false } }),
  variant('workflow polls 2', {
    worker: { workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 } },
  }),
  variant('workflow polls 20', {
    worker: { workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 20 } },
  }),
  variant('activity polls 20', {
    worker: { activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 20 } },
  }),
  variant('autoscaling', {
    worker: {
      workflowTaskPollerBehavior: { type: 'autoscaling' },
      activityTaskPollerBehavior: { type: 'autoscaling' },
    },
  }),
];

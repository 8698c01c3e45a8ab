import { runSettings } from '../client/change-settings.ts';
import type { TemporalRun } from '../client/temporal-runs.ts';
import { findRun } from '../results/find-run.ts';
import { createRunReader } from '../results/run-reader.ts';
import { runTotals } from '../results/run-snapshot.ts';
import { hostWorker, type HostedWorker, type HostOptions } from './host-worker.ts';
import { formatCost, plural } from './live/format.ts';
import type { OpenTemporal, Session } from './session.ts';

/** Runs that are named one by one. */
const MAX_NAMED = 10;

/**
 * A worker in this process for one run. It takes whatever there is in its task queue: the other open runs are named,
 * with what they may cost, before it begins.
 */
export async function hostWorkerFor(
  session: Session,
  opened: OpenTemporal,
  {
    run,
    log,
    notice = log,
    ...options
  }: {
    readonly run: string;
    /** Of the worker. */
    readonly log: (line: string) => void;
    /** Gets what a person should know before the worker begins. Default: `log`. */
    readonly notice?: (line: string) => void;
  } & HostOptions,
): Promise<HostedWorker> {
  await announceRuns(session, opened, { except: run, log: notice });
  return hostWorker(session, opened.temporal, log, { servesOthers: false, ...options });
}

/** Names the open runs that a worker of this task queue is about to work on. */
export async function announceRuns(
  session: Session,
  { runs }: OpenTemporal,
  { except, log }: { readonly except?: string; readonly log: (line: string) => void },
): Promise<void> {
  const open = (await runs.listOpen(MAX_NAMED * 2)).filter(({ run }) => run !== except);
  if (open.length === 0) return;
  const named = await Promise.all(open.slice(0, MAX_NAMED).map((each) => describe(session, each)));
  const more = open.length > MAX_NAMED ? [`  and ${open.length - MAX_NAMED} or more others: rlm list`] : [];
  const also = except === undefined ? '' : 'also ';
  log(
    `This worker ${also}takes up ${plural(open.length, 'open run')} of task queue ${session.taskQueue}, each on its own budget ` +
      '(rlm pause <run> keeps one from going on):',
  );
  for (const line of [...named, ...more]) log(line);
}

async function describe({ blobs }: Session, { run }: TemporalRun): Promise<string> {
  const stored = await findRun(blobs, run);
  if (stored === undefined) return `  ${run}: not begun yet`;
  const [snapshot, { config }] = await Promise.all([
    createRunReader(blobs, stored).snapshot(),
    runSettings(blobs, stored),
  ]);
  const spent = formatCost(snapshot === undefined ? 0 : runTotals(snapshot).usage.cost) || '$0';
  const { max_cost } = config.rlm;
  const limit = max_cost === undefined ? 'without a limit of cost' : `of at most ${formatCost(max_cost)}`;
  return `  ${run}: ${spent} spent ${limit}, model ${config.model.name}`;
}

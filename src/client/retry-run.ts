import type { RunConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { runReferenceName, type RunReference } from '../domain/records.ts';
import { findRun } from '../results/find-run.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { continuedInput, runSettings } from './change-settings.ts';
import { withGrant } from './start-run.ts';
import type { StartedRun, TemporalRun, TemporalRuns } from './temporal-runs.ts';

/** A run that has ended without coming to its end. */
export interface EndedRun {
  readonly stored: RunReference;
  /** Undefined where Temporal has forgotten it. */
  readonly known: TemporalRun | undefined;
}

/** @throws TypedError `Input.Invalid` for a run that cannot be retried, saying what to do instead */
export async function findEndedRun(blobs: BlobStore, runs: TemporalRuns, run: string): Promise<EndedRun> {
  const [stored, known] = await Promise.all([findRun(blobs, run), runs.describe(run)]);
  const invalid = (message: string): TypedError => new TypedError('Input.Invalid', message);
  if (stored === undefined && known === undefined) throw invalid(`There is no run "${run}".`);
  if (known?.status === 'running') throw invalid(`Run ${run} has not ended: rlm resume ${run} continues it.`);
  if (stored === undefined)
    throw invalid(
      `Run ${run} ended before it had begun, and has spent nothing: start it again as you did the first time.`,
    );
  if (stored.outcome?.status === 'completed')
    throw invalid(
      `Run ${run} has completed: rlm result ${run} shows its answer. Start another run for another answer.`,
    );
  return { stored, known };
}

/**
 * Opens a run that has ended again, under its id: its agents find what they have recorded, and no model call is paid
 * twice.
 *
 * @param change - the configuration that it continues with, from the one it had
 */
export async function retryRun(
  { blobs, stateDirectory }: { readonly blobs: BlobStore; readonly stateDirectory: string },
  runs: TemporalRuns,
  { stored, known }: EndedRun,
  change: (config: RunConfig) => RunConfig = (config) => config,
): Promise<StartedRun> {
  const { run, execution } = stored;
  const settings = await runSettings(blobs, stored);
  const config = change(configAtEnd(settings.config, stored));
  const start = continuedInput({ ...settings, execution }, config);
  const name = runReferenceName(run, execution);
  const before = await blobs.readReference(name);
  const started = await runs.start({
    run,
    memo: {
      digest: known?.digest ?? '',
      parts: known?.parts ?? {},
      ...(known?.origin === undefined ? {} : { origin: known.origin }),
      execution,
    },
    summary: `again: ${settings.prompt}`.replaceAll(/\s+/g, ' ').slice(0, 200),
    start: await withGrant({ blobs, stateDirectory }, run, start),
    replaces: known?.status ?? 'failed',
  });
  // It is open from now on, also as long as no worker has begun it; one that has been faster has written so itself.
  const { outcome: _, ended_at: __, ...open } = stored;
  if (before !== undefined) await blobs.swapReference(name, open, before.version);
  return started;
}

/** With the limits that a person had given it. */
export function configAtEnd(config: RunConfig, { limits }: RunReference): RunConfig {
  return limits === undefined ? config : { ...config, rlm: { ...config.rlm, ...limits } };
}

import type { RunConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { beginning } from '../domain/truncate.ts';
import { findRun } from '../results/find-run.ts';
import { parseRepositoryName, type RepositoryName } from '../sandbox/repository/repository-name.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { prepareInput, type PreparedInput } from './prepare-input.ts';
import { argumentsDigest, checkArguments, newRunId, type RunArguments } from './run-arguments.ts';
import type { StartedRun, TemporalRuns } from './temporal-runs.ts';

export interface StartContext {
  readonly blobs: BlobStore;
  readonly cacheDirectory: string;
  readonly env: NodeJS.ProcessEnv;
  /** What a relative repository path is relative to. */
  readonly cwd: string;
}

/** A run that is found to be right, and not started yet. */
export interface RunPlan {
  readonly run: string;
  readonly arguments: RunArguments;
  readonly config: RunConfig;
  readonly repository: RepositoryName;
  /** Set when nothing can be there under its id: prepared while Temporal is still being reached. */
  readonly prepared: Promise<PreparedInput> | undefined;
}

export interface StartResult extends StartedRun {
  readonly warnings: readonly string[];
}

/**
 * Checks what can be checked without Temporal.
 *
 * @throws TypedError `Input.Invalid`
 */
export function planRun(context: StartContext, request: RunArguments, config: RunConfig): RunPlan {
  checkArguments(request);
  const repository = parseRepositoryName(request.repo, context.cwd);
  const plan = { arguments: request, config, repository };
  if (request.id !== undefined) return { ...plan, run: request.id, prepared: undefined };
  const prepared = prepareInput(context, request, repository, config);
  // Whoever starts the plan awaits it; until then a failure is nobody's.
  prepared.catch(() => undefined);
  return { ...plan, run: newRunId(repository, new Date()), prepared };
}

/**
 * Starts the run, or finds the one of its id when the arguments are the same.
 *
 * @throws TypedError `Input.Invalid` for an id that was used with other arguments; `Repository.*`
 */
export async function startRun(context: StartContext, runs: TemporalRuns, plan: RunPlan): Promise<StartResult> {
  const { run, repository, config } = plan;
  const digest = await argumentsDigest(plan.arguments, repository, config);
  if (plan.arguments.id !== undefined) {
    const known = await runs.describe(run);
    if (known !== undefined) {
      compare(run, digest, known.digest);
      return { run, execution: known.execution, isNew: false, digest, warnings: [] };
    }
    await refuseForgotten(context.blobs, run);
  }
  const { input, warnings } = await (plan.prepared ?? prepareInput(context, plan.arguments, repository, config));
  const summary = beginning(`${input.repo}: ${input.prompt.replaceAll(/\s+/g, ' ')}`, 200);
  const started = await runs.start({ run, digest, summary, input });
  if (!started.isNew) compare(run, digest, started.digest);
  return { ...started, warnings };
}

function compare(run: string, digest: string, other: string | undefined): void {
  if (digest === other) return;
  throw new TypedError(
    'Input.Invalid',
    `Run "${run}" exists and was started with other arguments. Follow it with rlm watch ${run}, ` +
      `or choose another --id for a new run.`,
  );
}

/** An id that Temporal no longer knows, but whose results are here: a new run would mix with them. */
async function refuseForgotten(blobs: BlobStore, run: string): Promise<void> {
  const reference = await findRun(blobs, run);
  if (reference?.outcome === undefined) return;
  const { prompt } = await createChains(blobs).specification(reference.spec);
  throw new TypedError(
    'Input.Invalid',
    `Run "${run}" (${beginning(prompt, 60)}) ended earlier and Temporal has forgotten it. ` +
      `See it with rlm result ${run}, or choose another --id for a new run.`,
  );
}

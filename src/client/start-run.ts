import type { RunConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { BLOB_FIELDS } from '../domain/run-input.ts';
import { truncate } from '../domain/truncate.ts';
import { findRun } from '../results/find-run.ts';
import { parseRepositoryName } from '../sandbox/repository/repository-name.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createGrants, storedInputsName } from '../grants.ts';
import { createChains } from '../storage/chain.ts';
import { prepareInput } from './prepare-input.ts';
import {
  checkArguments,
  differences,
  newRunId,
  repositoryTitle,
  runIdentity,
  type RunArguments,
  type RunIdentity,
  type RunOrigin,
} from './run-arguments.ts';
import type { StartedRun, TemporalRuns, WorkflowStart } from './temporal-runs.ts';

export interface StartContext {
  readonly blobs: BlobStore;
  readonly cacheDirectory: string;
  readonly stateDirectory: string;
  readonly env: NodeJS.ProcessEnv;
  /** What a relative path is relative to. */
  readonly cwd: string;
}

/** What has been found, and stored, of what a run is given. */
export type PreparedStart = WorkflowStart & {
  /** One line for Temporal's UI. */
  readonly summary: string;
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
};

/** A run that is found to be right, and not started yet. */
export interface RunPlan {
  readonly run: string;
  /** It was named by a person, and may be there already. */
  readonly isNamed: boolean;
  readonly identity: () => Promise<RunIdentity>;
  /** Where its settings come from, so that they are found again when it is resumed. */
  readonly origin?: RunOrigin;
  /** Looks at what the run is given: that exists before anything is spent. */
  readonly prepare: () => Promise<PreparedStart>;
  /** Set when nothing can be there under its id: prepared while Temporal is still being reached. */
  readonly prepared: Promise<PreparedStart> | undefined;
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
  return createPlan({
    id: request.id,
    title: repositoryTitle(repository),
    identity: () => runIdentity(request, repository, config),
    async prepare() {
      const { input, warnings } = await prepareInput(context, request, repository, config);
      const summary = truncate(`${input.repo}: ${input.prompt.replaceAll(/\s+/g, ' ')}`, 200);
      return { type: 'investigate', input, summary, warnings };
    },
  });
}

/** @param title - what an id that is made up begins with. */
export function createPlan(
  plan: Pick<RunPlan, 'identity' | 'prepare'> & { readonly id: string | undefined; readonly title: string },
): RunPlan {
  const { id, title, identity, prepare } = plan;
  if (id !== undefined) return { run: id, isNamed: true, identity, prepare, prepared: undefined };
  const prepared = prepare();
  // Awaited when the plan is started; a failure before that must not end the process.
  prepared.catch(() => undefined);
  return { run: newRunId(title, new Date()), isNamed: false, identity, prepare, prepared };
}

/**
 * Starts the run, or finds the one of its id when the arguments are the same.
 *
 * @throws TypedError `Input.Invalid` for an id that was used with other arguments; what `prepare` throws
 */
export async function startRun(
  context: Pick<StartContext, 'blobs' | 'stateDirectory'>,
  runs: TemporalRuns,
  plan: RunPlan,
): Promise<StartResult> {
  const { run, origin } = plan;
  const identity = await plan.identity();
  const known = plan.isNamed ? await runs.describe(run) : undefined;
  // One that has ended before it had begun, such as a worker refused it, has spent nothing: its cause may be gone.
  const isSpent =
    known !== undefined && (known.status === 'running' || (await findRun(context.blobs, run)) !== undefined);
  if (known !== undefined && (isSpent || known.status === 'ended')) {
    assertSameArguments(run, identity, known);
    return { ...known, isNew: false, warnings: [] };
  }
  if (plan.isNamed && known === undefined) await assertIdUnused(context.blobs, run);
  const { warnings, summary, ...start } = await (plan.prepared ?? plan.prepare());
  const started = await runs.start({
    run,
    memo: { ...identity, ...(origin === undefined ? {} : { origin }) },
    summary,
    start: await withGrant(context, run, start),
    ...(known === undefined ? {} : { replaces: known.status }),
  });
  if (!started.isNew) assertSameArguments(run, identity, started);
  return { ...started, warnings };
}

/**
 * The run with the hash of a grant: workers with this state folder know by it that their own user started it, and those
 * with this blob store that the blobs which it names were stored for it.
 */
export async function withGrant(
  { blobs, stateDirectory }: Pick<StartContext, 'blobs' | 'stateDirectory'>,
  run: string,
  start: WorkflowStart,
): Promise<WorkflowStart> {
  const grant = await createGrants(stateDirectory).issue({ run, ...start });
  if (BLOB_FIELDS.some((field) => Object.hasOwn(start.input, field)))
    await blobs.setReference(storedInputsName(run, grant), { run });
  return start.type === 'analyze'
    ? { type: start.type, input: { ...start.input, grant } }
    : { type: start.type, input: { ...start.input, grant } };
}

function assertSameArguments(run: string, now: RunIdentity, before: Pick<StartedRun, 'digest' | 'parts'>): void {
  if (now.digest === before.digest) return;
  const differing = before.parts === undefined ? [] : differences(before.parts, now.parts);
  const what =
    differing.length === 0 ? '.' : `: ${differing.join(', ')} ${differing.length === 1 ? 'differs' : 'differ'}.`;
  throw new TypedError(
    'Input.Invalid',
    `Run "${run}" exists and was started with other arguments${what} To go on with that run: rlm resume ${run}. ` +
      `For a new one choose another --id.`,
  );
}

/** An id that Temporal no longer knows, but whose results are here: a new run would mix with them. */
async function assertIdUnused(blobs: BlobStore, run: string): Promise<void> {
  const reference = await findRun(blobs, run);
  if (reference?.outcome === undefined) return;
  const { prompt } = await createChains(blobs).specification(reference.spec);
  throw new TypedError(
    'Input.Invalid',
    `Run "${run}" (${truncate(prompt, 60)}) ended earlier and Temporal has forgotten it. ` +
      `See it with rlm result ${run}, or choose another --id for a new run.`,
  );
}

import type { ConfigureInput, PreparedRun } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { runReferenceName, type RunReference, type RunSpecification } from '../domain/records.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Gives an open run another configuration: what its agents do from now on is done by it. */
export async function configureRun(deps: ActivityDependencies, input: ConfigureInput): Promise<void> {
  const before = await recordedRun(deps, input);
  const { settings } =
    input.input.grant === undefined ? await otherModels(deps, input, before) : await admitSettings(deps, input, before);
  await deps.blobs.setReference(runReferenceName(input.run, input.execution), { ...before, settings });
}

/** What a person sends changes models only; `rlm` sends all that the run may take, and a grant. */
async function otherModels(
  deps: ActivityDependencies,
  { run, type, input }: ConfigureInput,
  { spec, settings = spec }: RunReference,
): Promise<{ readonly settings: string }> {
  const current = await deps.chains.specification(settings);
  const config = await deps.admission.admitModels({ type, given: input.config ?? {}, current: current.config });
  const changed = await deps.chains.putJson({ ...current, config });
  await deps.admission.admitted(changed, run);
  return { settings: changed };
}

/** @throws TypedError `Input.Invalid` where nothing of the run is known */
export async function recordedRun(
  { blobs }: Pick<ActivityDependencies, 'blobs'>,
  { run, execution }: Pick<ConfigureInput, 'run' | 'execution'>,
): Promise<RunReference> {
  const reference = (await blobs.getReference(runReferenceName(run, execution))) as RunReference | undefined;
  if (reference !== undefined) return reference;
  throw new TypedError('Input.Invalid', `The blob store holds no execution ${execution} of run ${run}.`);
}

/**
 * The specification of a run with the configuration of `request`, which this worker must admit.
 *
 * @throws TypedError as `Admission.admit`
 */
export async function admitSettings(
  deps: ActivityDependencies,
  request: ConfigureInput,
  { spec }: RunReference,
): Promise<{
  readonly specification: RunSpecification;
  readonly settings: string;
  readonly ceilings: PreparedRun['ceilings'];
}> {
  const { config, ceilings } = await deps.admission.admit(request);
  const specification = { ...(await deps.chains.specification(spec)), config };
  const settings = await deps.chains.putJson(specification);
  await deps.admission.admitted(settings, request.run);
  return { specification, settings, ceilings };
}

import {
  compareFindings,
  countFindings,
  findingsIn,
  findingsReferenceName,
  rememberedFindings,
  type Finding,
  type FindingsReference,
} from '../domain/findings.ts';
import type { RunConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { runIdProblem } from '../domain/ids.ts';
import type { StoredInput } from '../domain/inputs.ts';
import { stringifyJson } from '../domain/ordered-json.ts';
import type { RunOutcome, RunReference } from '../domain/records.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import type { ActivityDependencies } from './dependencies.ts';

type Deps = Pick<ActivityDependencies, 'blobs' | 'chains'>;

/**
 * What the run before found in the series of `rlm.findings`; undefined for the first.
 *
 * @param isForeign - somebody else than the worker's own user started the run
 * @throws TypedError `Input.NotAllowed` for a series of the worker's own user
 */
export async function findingsBefore(
  deps: Deps & Pick<ActivityDependencies, 'admission'>,
  series: string | undefined,
  isForeign: boolean,
): Promise<FindingsReference | undefined> {
  if (series === undefined) return undefined;
  const problem = runIdProblem(series);
  if (problem !== undefined)
    throw new TypedError('Input.Invalid', `rlm.findings.series: ${problem.replace('A run id', 'It')}`);
  const found = (await deps.blobs.getReference(findingsReferenceName(series))) as FindingsReference | undefined;
  if (found?.granted === true && isForeign && !deps.admission.mayTakeUpOwnRuns) {
    throw new TypedError(
      'Input.NotAllowed',
      `rlm.findings.series is ${series}, whose runs the user of the worker started. To allow it, set ` +
        'worker.allow.own_runs: true in its configuration.',
    );
  }
  return found;
}

/** Of the run that begins. */
export function asBefore(before: FindingsReference | undefined): {
  readonly findingsBefore?: NonNullable<RunReference['findings_before']>;
} {
  return before === undefined ? {} : { findingsBefore: { run: before.run, ref: before.ref } };
}

/** The same as a variable for the agents, so that they do not search again for what is known. */
export async function findingsVariable(deps: Deps, before: FindingsReference): Promise<StoredInput> {
  const findings = await deps.chains.getJson(before.ref);
  const size = Buffer.byteLength(stringifyJson(findings));
  return { name: 'previous_findings', format: 'json', ref: before.ref, size, summary: summarizeValue(findings) };
}

/**
 * The outcome with what is new in it, where its configuration declares findings. What it found is remembered for the
 * next run of its series.
 */
export async function withFindings(deps: Deps, outcome: RunOutcome, run: RunReference): Promise<RunOutcome> {
  const { config } = await deps.chains.specification(run.spec);
  const { findings: declared } = config.rlm;
  if (declared === undefined || outcome.status !== 'completed' || outcome.answer_ref === null) return outcome;
  const found = findingsIn(await deps.chains.getJson(outcome.answer_ref), declared);
  if (found === undefined) {
    const where = declared.field === undefined ? 'The answer' : `The field ${declared.field} of the answer`;
    return {
      ...outcome,
      notes: [...outcome.notes, `${where} is no list of objects, so there are no findings to compare (rlm.findings).`],
    };
  }
  const compared = compareFindings(await readBefore(deps, run), found, declared);
  const ref = await deps.chains.putJson(compared);
  if (declared.series !== undefined) await remember(deps, { config, run, outcome }, rememberedFindings(compared));
  return { ...outcome, findings: { ...countFindings(compared), ref } };
}

async function readBefore(
  deps: Deps,
  { findings_before: before }: RunReference,
): Promise<{ run: string; findings: readonly Finding[] } | undefined> {
  if (before === undefined) return undefined;
  return { run: before.run, findings: (await deps.chains.getJson(before.ref)) as readonly Finding[] };
}

async function remember(
  deps: Deps,
  { config, run, outcome }: { readonly config: RunConfig; readonly run: RunReference; readonly outcome: RunOutcome },
  findings: readonly Finding[],
): Promise<void> {
  const reference: FindingsReference = {
    run: outcome.run_id,
    ref: await deps.chains.putJson(findings),
    ...(run.granted === true ? { granted: true } : {}),
  };
  await deps.blobs.setReference(findingsReferenceName(config.rlm.findings?.series ?? ''), reference);
}

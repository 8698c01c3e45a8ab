import type { AnalyzeInput, PrepareAnalysisInput, PreparedRun } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import type { StoredInput } from '../domain/inputs.ts';
import type { AnalysisSpecification, ChainRecord } from '../domain/records.ts';
import { asStoredInputs, asToolDescriptions } from '../domain/run-input.ts';
import { analysisSignature, analysisTitle } from '../domain/signature/analysis-signature.ts';
import type { Signature } from '../domain/signature/field-type.ts';
import { checkToolNames, type ToolDescription } from '../domain/tools.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { asBefore, findingsBefore, findingsVariable } from './findings.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { beginRun, rootTask } from './begin-run.ts';
import { prepareFork } from './prepare-fork.ts';
import { prepareRetry } from './prepare-retry.ts';

/** Validates the input of an analysis, stores values that came with it, and stores its specification and root task. */
export async function prepareAnalysis(
  deps: ActivityDependencies,
  { run, execution, input, schedule }: PrepareAnalysisInput,
): Promise<PreparedRun> {
  if (input.from !== undefined) return prepareRetry(deps, { type: 'analyze', run, execution, input });
  if (input.fork !== undefined) return prepareFork(deps, { type: 'analyze', run, execution, input }, input.fork);
  const { config, ceilings, granted } = await deps.admission.admit({ type: 'analyze', run, input });
  const signature = analysisSignature(input.signature, input.instructions);
  const given = await withHeartbeat(async () => storedInputs(deps, signature, input));
  const before = await findingsBefore(deps, config.rlm.findings?.series, !granted);
  const isFree = !given.some(({ name }) => name === 'previous_findings');
  const inputs = before !== undefined && isFree ? [...given, await findingsVariable(deps, before)] : given;
  const tools = await toolsOf(deps, input, granted);
  checkToolNames(tools, signature);
  const prompt = analysisTitle(signature);
  const specification: AnalysisSpecification = {
    v: 1,
    kind: 'run',
    type: 'analyze',
    run,
    execution,
    prompt,
    signature,
    inputs,
    ...(tools.length === 0 ? {} : { tools }),
    config,
  };
  const first = (spec: string): ChainRecord => rootTask(specification, spec, prompt);
  return beginRun(deps, specification, { first, summary: prompt, ceilings, granted, schedule, ...asBefore(before) });
}

async function storedInputs(
  deps: ActivityDependencies,
  signature: Signature,
  { inputs, stored_inputs }: AnalyzeInput,
): Promise<readonly StoredInput[]> {
  if (stored_inputs === undefined) return deps.storeInputs(signature, inputs ?? {});
  const stored = asStoredInputs(await deps.chains.getJson(stored_inputs));
  const missing = signature.inputs.filter(({ name }) => !stored.some((input) => input.name === name));
  if (missing.length > 0)
    throw new TypedError('Input.Invalid', `There is no value for ${missing.map(({ name }) => name).join(', ')}.`);
  return stored;
}

/** A run that another user started has tools as this worker describes them, and those only that it offers. */
async function toolsOf(
  deps: ActivityDependencies,
  { tools }: AnalyzeInput,
  granted: boolean,
): Promise<readonly ToolDescription[]> {
  const offered = granted || deps.servesOthers ? deps.tools.descriptions : [];
  if (tools === undefined) return offered;
  const asked = asToolDescriptions(await deps.chains.getJson(tools));
  if (granted) return asked;
  return asked.map(({ name }) => {
    const description = offered.find((tool) => tool.name === name);
    if (description !== undefined) return description;
    throw new TypedError(
      'Input.NotAllowed',
      `The input of this run asks for the tool ${name}, which this worker does not offer: set tools.files or ` +
        'tools.mcp in its configuration, or start it with --tools.',
    );
  });
}

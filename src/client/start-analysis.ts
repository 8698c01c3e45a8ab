import type { RunConfig } from '../domain/config.ts';
import type { AnalyzeInput } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { runIdProblem } from '../domain/ids.ts';
import type { StoredInput } from '../domain/inputs.ts';
import { analysisSignature, analysisTitle } from '../domain/signature/analysis-signature.ts';
import type { Signature } from '../domain/signature/field-type.ts';
import { renderSignature } from '../domain/signature/render.ts';
import { checkToolNames, type ToolDescription } from '../domain/tools.ts';
import { truncate } from '../domain/truncate.ts';
import { inputsNeed } from '../inputs/index.ts';
import { createChains } from '../storage/chain.ts';
import { identityOf, portableConfig, typedConfig } from './run-arguments.ts';
import { createPlan, type RunPlan, type StartContext } from './start-run.ts';

export interface AnalysisArguments {
  /** Default: made up from the signature and time. */
  readonly id?: string;
  /** `documents: list[str], question -> answer: str`, or one of the forms of `readSignature`. */
  readonly signature: unknown;
  /** What the signature does not say. */
  readonly instructions?: string;
}

/** What an analysis is given. */
export interface GivenInputs {
  /** Stores the variables; called once. */
  readonly store: (signature: Signature) => Promise<{ inputs: readonly StoredInput[]; warnings: readonly string[] }>;
  /** What was typed, where that says what is meant without looking at it; else what is stored decides. */
  readonly typed?: unknown;
}

/**
 * Checks what can be checked without Temporal.
 *
 * @param config - with `rlm.max_iterations` as it is to be, also where that is a default.
 * @throws TypedError `Input.Invalid`
 */
export function planAnalysis(
  context: StartContext,
  request: AnalysisArguments,
  given: GivenInputs,
  { config, tools }: { readonly config: RunConfig; readonly tools: readonly ToolDescription[] },
): RunPlan {
  const problem = request.id === undefined ? undefined : runIdProblem(request.id);
  if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
  const signature = analysisSignature(request.signature, request.instructions);
  checkToolNames(tools, signature);
  const chains = createChains(context.blobs);
  let stored: ReturnType<GivenInputs['store']> | undefined;
  const store = (): ReturnType<GivenInputs['store']> => (stored ??= given.store(signature));
  return createPlan({
    id: request.id,
    title: signature.outputs.map(({ name }) => name).join('-'),
    async identity() {
      const inputs = given.typed ?? (await store()).inputs.map(({ name, ref }) => [name, ref]);
      const names = tools.map(({ name }) => name);
      return identityOf({ signature, inputs, tools: names, config: typedConfig(config) });
    },
    async prepare() {
      const { inputs, warnings } = await store();
      checkMemory(inputs, config);
      const input: AnalyzeInput = {
        signature: formOf(signature),
        stored_inputs: await chains.putJson(inputs),
        ...(tools.length === 0 ? {} : { tools: await chains.putJson(tools) }),
        config: { ...portableConfig(config), rlm: rlmOf(config) },
      };
      const summary = truncate(analysisTitle(signature).replaceAll(/\s+/g, ' '), 200);
      return { type: 'analyze', input, summary, warnings };
    },
  });
}

/** The number of turns always goes with it: the default of an analysis is another than a configuration's. */
function rlmOf(config: RunConfig): Record<string, unknown> {
  const { rlm } = portableConfig(config);
  return { ...(rlm as Record<string, unknown> | undefined), max_iterations: config.rlm.max_iterations };
}

/** As `readSignature` reads it again: the notation, with what that does not hold beside it. */
function formOf(signature: Signature): unknown {
  const described = [...signature.inputs, ...signature.outputs].flatMap(({ name, description }) =>
    description === undefined ? [] : [[name, description] as const],
  );
  return {
    signature: renderSignature(signature),
    ...(signature.instructions === undefined ? {} : { instructions: signature.instructions }),
    ...(described.length === 0 ? {} : { descriptions: Object.fromEntries(described) }),
  };
}

function checkMemory(inputs: readonly StoredInput[], { sandbox }: RunConfig): void {
  const need = inputsNeed(inputs);
  if (need <= sandbox.memory_mb) return;
  throw new TypedError(
    'Input.Invalid',
    `The inputs need about ${need} MB in the sandbox, which may have ${sandbox.memory_mb}: set sandbox.memory_mb to ${Math.ceil((need * 1.5) / 1000) * 1000} or more.`,
  );
}

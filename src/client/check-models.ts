import type { RunConfig } from '../domain/config.ts';
import { assertCostsKnown, modelsOf } from '../llm/model-costs.ts';
import { probeModel } from '../llm/probe-model.ts';
import { resolveModel } from '../llm/resolve-model.ts';
import { findRun } from '../results/find-run.ts';
import { requireDaytonaKey } from '../sandbox/daytona/client.ts';
import { findPython } from '../sandbox/kernel-python.ts';
import { isInRepository } from '../sandbox/setup.ts';
import type { BlobStore } from '../storage/blob-store.ts';

/** Milliseconds that providers get to answer in; one that does not is not what is checked. */
const CHECK_MS = 5000;

/** @throws TypedError when a model's name cannot be right, a key that is needed is not here, or a limit has no price */
export function checkKeys({ model, rlm, sandbox }: RunConfig, env: NodeJS.ProcessEnv): void {
  assertCostsKnown({ model, rlm });
  if (sandbox.provider === 'daytona') requireDaytonaKey(env);
  for (const name of modelsOf({ model })) resolveModel(name, model, env);
}

/**
 * What a worker of this process would find wrong after something was spent: a key that is refused, a model that does not
 * exist, an address where nothing is, an interpreter that cannot be used. A run that exists is only attended: its
 * configuration was checked when it began.
 *
 * @param run id that a person has given
 * @throws TypedError that says what to do
 */
export async function checkBeforeRun(
  config: RunConfig,
  { env, blobs }: { readonly env: NodeJS.ProcessEnv; readonly blobs: BlobStore },
  run: string | undefined,
): Promise<void> {
  checkKeys(config, env);
  if (run !== undefined && (await findRun(blobs, run)) !== undefined) return;
  const { model, sandbox } = config;
  const { python: preferred } = sandbox;
  const isHostPython = sandbox.provider === 'local' && preferred !== undefined && !isInRepository(preferred);
  const probe = { model, env, signal: AbortSignal.timeout(CHECK_MS) };
  await Promise.all([
    isHostPython ? findPython({ preferred }) : undefined,
    ...(model.check ? modelsOf(config).map((name) => probeModel(name, probe)) : []),
  ]);
}

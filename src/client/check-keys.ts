import type { RunConfig } from '../domain/config.ts';
import { resolveModel } from '../llm/resolve-model.ts';
import { requireDaytonaKey } from '../sandbox/daytona/client.ts';

/** @throws TypedError when a model's name cannot be right, or a key that is needed is not here */
export function checkKeys({ model, sandbox }: RunConfig, env: NodeJS.ProcessEnv): void {
  if (sandbox.provider === 'daytona') requireDaytonaKey(env);
  const names = new Set([model.name, model.sub_name, ...Object.values(model.by_depth ?? {})]);
  for (const name of names) if (name !== undefined) resolveModel(name, model, env);
}

import type { RunConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { PROVIDERS } from './providers.ts';

type Models = Pick<RunConfig, 'model'>;

/** Every model that a run may ask, each once. */
export function modelsOf({ model }: Models): readonly string[] {
  const names = [model.name, model.sub_name, ...Object.values(model.by_depth ?? {})];
  return [...new Set(names.filter((name) => name !== undefined))];
}

/**
 * `rlm.max_cost` holds a run to what is known: a model whose calls count as nothing would make it no limit at all. Looked at
 * before anything is spent.
 *
 * @throws TypedError `Input.Invalid`
 */
export function assertCostsKnown({ model, rlm }: Pick<RunConfig, 'model' | 'rlm'>): void {
  if (rlm.max_cost === undefined) return;
  const unknown = modelsOf({ model }).filter((name) => !isCostKnown(name, model));
  if (unknown.length === 0) return;
  const prices = unknown.map((name) => `${JSON.stringify(name)}: {input: ..., output: ...}`).join(', ');
  throw new TypedError(
    'Input.Invalid',
    `rlm.max_cost (${rlm.max_cost}) cannot be held to: what calls of ${unknown.join(' and ')} cost is not known. Set ` +
      `model.prices: {${prices}} in USD for a million tokens, 0 where it costs nothing, or leave rlm.max_cost out.`,
  );
}

/** By its price, or because its provider says what calls cost, or is a server of one's own. */
function isCostKnown(name: string, { prices, base_url }: Models['model']): boolean {
  const slash = name.indexOf('/');
  const prefix = name.slice(0, Math.max(slash, 0)).toLowerCase();
  const provider = Object.hasOwn(PROVIDERS, prefix) ? PROVIDERS[prefix] : undefined;
  const rest = provider === undefined ? name : name.slice(slash + 1);
  const isPriced = [name, rest, provider?.modelName?.(rest)].some((each) => prices?.[each ?? ''] !== undefined);
  return isPriced || (base_url === undefined && provider?.costs !== undefined);
}

import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { nearestName } from '../domain/nearest-name.ts';
import { ANY_PROVIDER_KEY, PROVIDERS, type ProviderDefinition } from './providers.ts';

export interface ResolvedModel {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Undefined where the endpoint is asked without a key. */
  readonly apiKey: string | undefined;
  /** The variables a key is looked for in, in this order. */
  readonly keyVariables: readonly string[];
  /** As the endpoint calls it. */
  readonly model: string;
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens';
  /** Added to each request's body. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Path below the base URL whose answer tells whether the key is good. */
  readonly keyCheckPath: string;
  /** Whether its list of models wants the key too. */
  readonly modelsNeedKey: boolean;
}

type Connection = Pick<ModelConfig, 'base_url' | 'api_key_env'>;

const NO_PROVIDER: ProviderDefinition = { keyVariables: [], keyOptional: true };

/**
 * Where a model is asked, under which name and with which key. With `base_url` set any name will do: a known
 * prefix is taken off, anything else is sent as it is, and the key is optional unless `api_key_env` names one.
 *
 * @param name in LiteLLM notation: `provider/model`
 * @param host of a worker, named in the message about a missing key, because each has its own environment; undefined where
 *   the command or program itself asks
 * @throws TypedError `Input.Invalid` for a name without a known provider, `Model.KeyMissing` without a key
 */
export function resolveModel(name: string, config: Connection, env: NodeJS.ProcessEnv, host?: string): ResolvedModel {
  const slash = name.indexOf('/');
  const prefix = slash < 0 ? '' : name.slice(0, slash).toLowerCase();
  const known = Object.hasOwn(PROVIDERS, prefix) ? PROVIDERS[prefix] : undefined;
  if (known === undefined && config.base_url === undefined) throw unknownProvider(name, prefix);
  const definition = known ?? NO_PROVIDER;
  const model = known === undefined ? name : name.slice(slash + 1);
  if (model.trim() === '') throw new TypedError('Input.Invalid', `Model "${name}" has no name after its provider.`);
  const keyVariables =
    config.api_key_env === undefined
      ? [...definition.keyVariables, ...(isAtPort(definition, config, env) ? [] : [ANY_PROVIDER_KEY])]
      : [config.api_key_env];
  const keyNeeded =
    config.api_key_env !== undefined || (config.base_url === undefined && definition.keyOptional !== true);
  return {
    baseUrl: baseUrlOf(name, prefix, definition, config, env),
    apiKey: findKey(name, keyVariables, keyNeeded, env, host),
    keyVariables,
    model: definition.modelName?.(model) ?? model,
    maxTokensField: definition.maxTokensField ?? 'max_tokens',
    body: definition.body ?? {},
    keyCheckPath: definition.keyCheckPath ?? 'models',
    modelsNeedKey: definition.publicModels !== true,
  };
}

/**
 * Whether the model is asked at a well-known port of this machine that nobody has named: a process that listens there must not
 * get a key that was meant for any provider.
 */
function isAtPort(definition: ProviderDefinition, config: Connection, env: NodeJS.ProcessEnv): boolean {
  const isNamed =
    config.base_url !== undefined || definition.baseUrlVariables?.some((variable) => isSet(env[variable])) === true;
  return definition.keyOptional === true && definition.baseUrl !== undefined && !isNamed;
}

function baseUrlOf(
  name: string,
  prefix: string,
  definition: ProviderDefinition,
  config: Connection,
  env: NodeJS.ProcessEnv,
): string {
  const variable = definition.baseUrlVariables?.find((candidate) => isSet(env[candidate]));
  const url = config.base_url ?? (variable === undefined ? definition.baseUrl : env[variable]?.trim());
  if (url === undefined) {
    const ways = ['model.base_url', ...(definition.baseUrlVariables ?? [])].join(' or ');
    throw new TypedError('Input.Invalid', `Model "${name}" needs the address of its endpoint: set ${ways}.`);
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    const where = config.base_url === undefined ? String(variable) : 'model.base_url';
    throw new TypedError('Input.Invalid', `${where} must be an http or https address such as https://host/v1.`);
  }
  const trimmed = url.replace(/\/+$/, '');
  // LiteLLM's variable for Ollama holds the address of its own API, which has the OpenAI-compatible one below /v1.
  return prefix.startsWith('ollama') && new URL(trimmed).pathname === '/' ? `${trimmed}/v1` : trimmed;
}

function findKey(
  name: string,
  variables: readonly string[],
  needed: boolean,
  env: NodeJS.ProcessEnv,
  host: string | undefined,
): string | undefined {
  const variable = variables.find((candidate) => isSet(env[candidate]));
  if (variable === undefined) {
    if (!needed) return undefined;
    throw new TypedError(
      'Model.KeyMissing',
      host === undefined
        ? `No key for ${name}: set ${variables.join(' or ')} in the environment or in a .env file in the current folder.`
        : `No key for ${name} on ${host}: set ${variables.join(' or ')} in the worker's environment or in a .env file where it starts.`,
    );
  }
  const key = env[variable]?.trim() ?? '';
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new TypedError(
    'Model.KeyMissing',
    `${variable}${host === undefined ? '' : ` on ${host}`} holds spaces or characters that no key has: set it to the key alone.`,
  );
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== '';
}

function unknownProvider(name: string, prefix: string): TypedError {
  const names = Object.keys(PROVIDERS);
  const nearest = prefix === '' ? undefined : nearestName(prefix, names);
  const rest = prefix === '' ? name : name.slice(prefix.length + 1);
  const suggestion = nearest === undefined ? '' : ` Did you mean "${nearest}/${rest}"?`;
  const fault = prefix === '' ? 'does not name its provider' : `names an unknown provider, "${prefix}"`;
  return new TypedError(
    'Input.Invalid',
    `Model "${name}" ${fault}.${suggestion} Write provider/model with one of ${names.join(', ')}, or set model.base_url to any OpenAI-compatible endpoint.`,
  );
}

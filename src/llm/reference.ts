import { ANY_PROVIDER_KEY, PROVIDERS, type ProviderDefinition } from './providers.ts';

/** Every provider as a Markdown table: the part of docs/configuration.md that is written by code. */
export function renderProviders(): string {
  const rows = Object.entries(PROVIDERS).map(([prefix, definition]) =>
    [`\`${prefix}/\``, addressOf(definition), keysOf(definition)].join(' | '),
  );
  return ['Prefix | Base URL (variables that change it) | Key', '--- | --- | ---', ...rows]
    .map((cells) => `| ${cells} |\n`)
    .join('');
}

function addressOf({ baseUrl, baseUrlVariables = [] }: ProviderDefinition): string {
  const variables = baseUrlVariables.map(code).join(', ');
  if (baseUrl === undefined) return `\`model.base_url\` or ${variables}`;
  return variables === '' ? code(baseUrl) : `${code(baseUrl)} (${variables})`;
}

function keysOf({ baseUrl, keyVariables, keyOptional }: ProviderDefinition): string {
  const any = keyOptional === true && baseUrl !== undefined ? [] : [ANY_PROVIDER_KEY];
  const variables = [...keyVariables, ...any].map(code).join(', ');
  return keyOptional === true ? `${variables}; none needed` : variables;
}

function code(text: string): string {
  return `\`${text}\``;
}

import type { HostFunction } from '../kernel-protocol.ts';

/** A function as a prompt shows it: `- name(city: str, days: int = 3): what it does`. */
export function renderTool({ name, parameters, doc }: Pick<HostFunction, 'name' | 'parameters' | 'doc'>): string {
  const text = doc.trim().replaceAll('\n', '\n    ');
  return `- ${name}(${parameters.map(renderParameter).join(', ')}): ${text}`;
}

function renderParameter(parameter: HostFunction['parameters'][number]): string {
  const { name, type } = parameter;
  const annotation = parameter.annotation ?? (type === 'any' ? undefined : type);
  const head = annotation === undefined ? name : `${name}: ${annotation}`;
  return 'default' in parameter ? `${head} = ${literal(parameter.default)}` : head;
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return JSON.stringify(value);
}

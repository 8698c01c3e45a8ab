import type { Field, FieldType, Signature } from './field-type.ts';
import { renderFields, renderType } from './render.ts';

/**
 * A signature for a prompt: the instructions, and a line for each field with its type and description; below it what
 * is known of the keys of objects.
 */
export function describeSignature(signature: Signature): string {
  const sections = [
    signature.instructions?.trim() ?? defaultInstructions(signature),
    signature.inputs.length === 0 ? '' : `Input variables:\n${describeFields(signature.inputs)}`,
    `Output fields:\n${describeFields(signature.outputs)}`,
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

/** A line a field: `- wealth: list[{chapter: int}]: description`. */
export function describeFields(fields: readonly Field[]): string {
  return fields
    .flatMap(({ name, type, description }) => [line('- ', name, type, description), ...keys(type)])
    .join('\n');
}

/** How the answer is given: `SUBMIT(answer=..., scores=...)`. */
export function submitExample({ outputs }: Pick<Signature, 'outputs'>): string {
  return `SUBMIT(${outputs.map(({ name }) => `${name}=...`).join(', ')})`;
}

/** The same with types: `SUBMIT(answer: str, scores: list[float])`. */
export function submitSignature({ outputs }: Pick<Signature, 'outputs'>): string {
  return `SUBMIT(${renderFields(outputs)})`;
}

function defaultInstructions(signature: Signature): string {
  const names = (fields: readonly Field[]): string => fields.map(({ name }) => `\`${name}\``).join(', ');
  const given = signature.inputs.length === 0 ? 'Produce' : `Given the variables ${names(signature.inputs)}, produce`;
  return `${given} the fields ${names(signature.outputs)}.`;
}

function line(indent: string, name: string, type: FieldType, description: string | undefined): string {
  const text = description?.trim().replaceAll(/\s*\n\s*/g, ' ');
  return `${indent}${name}: ${renderType(type)}${text === undefined || text === '' ? '' : `: ${text}`}`;
}

/** Of the objects in a type, the keys that have a description. */
function keys(type: FieldType): string[] {
  switch (type.kind) {
    case 'list':
    case 'tuple_of':
      return keys(type.item);
    case 'dict':
      return keys(type.value);
    case 'tuple':
      return type.items.flatMap(keys);
    case 'union':
      return type.members.flatMap(keys);
    case 'object':
      return type.properties.flatMap((property) => [
        ...(property.description === undefined
          ? []
          : [line('  - ', property.name, property.type, property.description)]),
        ...keys(property.type),
      ]);
    default:
      return [];
  }
}

import type { Field, FieldType } from './field-type.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What the text of a key must look like where keys are not plain strings. */
export const KEY_PATTERNS = {
  int: String.raw`^-?(0|[1-9][0-9]*)$`,
  float: String.raw`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`,
  bool: '^(true|false)$',
} as const;

/** One object with a property for each field, all of them required. */
export function fieldsToJsonSchema(fields: readonly Field[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldToJsonSchema(field)])),
    required: fields.map(({ name }) => name),
    additionalProperties: false,
  };
}

export function fieldToJsonSchema({ type, description }: Pick<Field, 'type' | 'description'>): JsonSchema {
  return { ...typeToJsonSchema(type), ...(description === undefined ? {} : { description }) };
}

/** JSON Schema, draft 2020-12. `fromJsonSchema` gives the type back, but for `tuple[T, ...]`, which is a list there. */
export function typeToJsonSchema(type: FieldType): JsonSchema {
  switch (type.kind) {
    case 'str':
      return { type: 'string' };
    case 'int':
      return { type: 'integer' };
    case 'float':
      return { type: 'number' };
    case 'bool':
      return { type: 'boolean' };
    case 'none':
      return { type: 'null' };
    case 'any':
      return {};
    case 'list':
    case 'tuple_of':
      return type.item.kind === 'any' ? { type: 'array' } : { type: 'array', items: typeToJsonSchema(type.item) };
    case 'tuple':
      return {
        type: 'array',
        ...(type.items.length === 0 ? {} : { prefixItems: type.items.map(typeToJsonSchema) }),
        items: false,
        minItems: type.items.length,
      };
    case 'dict':
      return dictSchema(type.key, type.value);
    case 'literal':
      return { enum: type.values };
    case 'union':
      return { anyOf: type.members.map(typeToJsonSchema) };
    default:
      return objectSchema(type);
  }
}

function dictSchema(key: FieldType, value: FieldType): JsonSchema {
  const names = keySchema(key);
  return {
    type: 'object',
    ...(names === undefined ? {} : { propertyNames: names }),
    ...(value.kind === 'any' ? {} : { additionalProperties: typeToJsonSchema(value) }),
  };
}

/** Of the keys as JSON writes them; undefined where any text will do. */
function keySchema(key: FieldType): JsonSchema | undefined {
  if (key.kind === 'int' || key.kind === 'float' || key.kind === 'bool') return { pattern: KEY_PATTERNS[key.kind] };
  if (key.kind === 'literal') return { enum: key.values.map((value) => literalKey(value)) };
  if (key.kind === 'union') {
    const members = key.members.map(keySchema);
    return members.includes(undefined) ? undefined : { anyOf: members };
  }
  // What tells `dict[str, Any]` from `dict`: the latter says nothing.
  return key.kind === 'str' ? { type: 'string' } : undefined;
}

/** A key of a dict as JSON writes it. */
export function literalKey(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

function objectSchema(type: Extract<FieldType, { kind: 'object' }>): JsonSchema {
  const { properties, additional } = type;
  const required = properties.filter((property) => property.required).map(({ name }) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(properties.map((property) => [property.name, fieldToJsonSchema(property)])),
    ...(required.length === 0 ? {} : { required }),
    ...(additional?.kind === 'any'
      ? {}
      : { additionalProperties: additional === null ? false : typeToJsonSchema(additional) }),
  };
}

import type { Field, FieldType, LiteralValue, Property, Signature } from './field-type.ts';
import { isIdentifier, normalizedName } from './names.ts';

/** The signature on one line, every type written out: `parseSignature` of it gives the same fields again. */
export function renderSignature({ inputs, outputs }: Pick<Signature, 'inputs' | 'outputs'>): string {
  return `${renderFields(inputs)}${inputs.length === 0 ? '' : ' '}-> ${renderFields(outputs)}`;
}

export function renderFields(fields: readonly Field[]): string {
  return fields.map(({ name, type }) => `${name}: ${renderType(type)}`).join(', ');
}

/** The type as Python writes it; objects with known keys in braces. */
export function renderType(type: FieldType): string {
  switch (type.kind) {
    case 'str':
    case 'int':
    case 'float':
    case 'bool':
      return type.kind;
    case 'none':
      return 'None';
    case 'any':
      return 'Any';
    case 'list':
      return type.item.kind === 'any' ? 'list' : `list[${renderType(type.item)}]`;
    case 'dict':
      return type.key.kind === 'any' && type.value.kind === 'any'
        ? 'dict'
        : `dict[${renderType(type.key)}, ${renderType(type.value)}]`;
    case 'tuple':
      return type.items.length === 0 ? 'tuple[()]' : `tuple[${type.items.map(renderType).join(', ')}]`;
    case 'tuple_of':
      return type.item.kind === 'any' ? 'tuple' : `tuple[${renderType(type.item)}, ...]`;
    case 'literal':
      return `Literal[${type.values.map(renderLiteral).join(', ')}]`;
    case 'union':
      return type.members.map(renderType).join(' | ');
    default:
      return renderObject(type.properties, type.additional);
  }
}

function renderObject(properties: readonly Property[], additional: FieldType | null): string {
  const entries = properties.map(
    ({ name, type, required }) => `${renderKey(name)}${required ? '' : '?'}: ${renderType(type)}`,
  );
  if (additional !== null) entries.push(additional.kind === 'any' ? '...' : `...: ${renderType(additional)}`);
  return `{${entries.join(', ')}}`;
}

function renderKey(name: string): string {
  return isIdentifier(name) && normalizedName(name) === name ? name : renderText(name);
}

export function renderLiteral(value: LiteralValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'string' ? renderText(value) : String(value);
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** As Python's repr: single quotes unless the text holds some and no double ones. */
function renderText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replaceAll(/[\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const wide = code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
    return NAMED[character] ?? wide;
  });
  return `${quote}${body.replaceAll(quote, `\\${quote}`)}${quote}`;
}

import type { Field, FieldType } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import { checkPart } from './check-part.ts';
import { invalid } from './invalid.ts';
import { previewOfJson } from './json-check.ts';
import { NO_NAN, parseJson } from './parse-json.ts';
import { encoded, type Source } from './source.ts';

/** As Python writes them. */
const CONSTANTS: Readonly<Record<string, string>> = { True: 'true', False: 'false', None: 'null' };
const MAX_SHOWN_CHARACTERS = 60;

/**
 * A value as it was typed: a str as it is; else JSON, or what Python calls True, False and None.
 *
 * @param label - where it comes from, when it was not typed
 * @param advice - what may have been meant, where it is wrong
 */
export function givenSource(
  field: Field,
  text: string,
  { label, advice = '' }: { readonly label?: string; readonly advice?: string } = {},
): Source {
  const { name, type } = field;
  if (type.kind === 'str' || isTextOf(type, text)) return textSource(type, text);
  const json = CONSTANTS[text.trim()] ?? text.trim();
  const parsed = parseJson(json);
  const place = label === undefined ? name : `${name}: ${label}`;
  if (type.kind === 'literal' && ('fault' in parsed || !('value' in checkPart(name, type, parsed.value)))) {
    const values = type.values.map((value) => renderType({ kind: 'literal', values: [value] }).slice(8, -1));
    throw invalid(`${place}: ${shown(text)} is not one of ${values.join(', ')}; ${example(field)}${advice}`);
  }
  if ('fault' in parsed) {
    if (takesText(type)) return textSource(type, text);
    const why = parsed.fault === NO_NAN ? ` (${NO_NAN})` : '';
    throw invalid(
      `${place}: ${shown(text)} is not JSON${why}, and the signature wants ${renderType(type)}; ${example(field)}${advice}`,
    );
  }
  const checked = checkPart(name, type, parsed.value);
  if ('value' in checked) {
    // As it was typed: integers of any size are exact.
    return { format: 'json', bytes: encoded([json]), summary: () => summarizeValue(previewOfJson(json), type) };
  }
  if (takesText(type)) return textSource(type, text);
  throw invalid(`${label === undefined ? '' : `${label}: `}${checked.problems}\n${example(field)}${advice}`);
}

function textSource(type: FieldType, text: string): Source {
  return { format: 'text', bytes: encoded([text]), summary: () => summarizeValue(text, type) };
}

function takesText(type: FieldType): boolean {
  return type.kind === 'str' || type.kind === 'any' || (type.kind === 'union' && type.members.some(takesText));
}

/** Whether a text needs no quotes: of `Literal['a']`, and of `str | None` everything but None. */
function isTextOf(type: FieldType, text: string): boolean {
  if (type.kind === 'literal') return type.values.includes(text);
  if (type.kind !== 'union') return false;
  const isPlain = type.members.every(({ kind }) => kind === 'str' || kind === 'none' || kind === 'literal');
  if (isPlain && text !== 'None' && text !== 'null' && type.members.some(takesText)) return true;
  return type.members.some((member) => isTextOf(member, text));
}

function shown(text: string): string {
  const characters = Array.from(text.slice(0, 2 * MAX_SHOWN_CHARACTERS));
  return JSON.stringify(
    characters.length > MAX_SHOWN_CHARACTERS ? `${characters.slice(0, MAX_SHOWN_CHARACTERS).join('')}...` : text,
  );
}

function example({ name, type }: Field): string {
  const value = exampleOf(type);
  const isPlain = typeof value === 'string' && isTextOf(type, value);
  return `for example: '${name}=${isPlain ? value : JSON.stringify(value)}'`;
}

function exampleOf(type: FieldType): unknown {
  switch (type.kind) {
    case 'int':
      return 3;
    case 'float':
      return 0.5;
    case 'bool':
      return true;
    case 'none':
      return null;
    case 'literal':
      return type.values[0];
    case 'union':
      return type.members[0] === undefined ? null : exampleOf(type.members[0]);
    case 'list':
    case 'tuple_of':
      return [exampleOf(type.item), exampleOf(type.item)];
    case 'tuple':
      return type.items.map(exampleOf);
    case 'dict':
      return { [exampleKey(type.key)]: exampleOf(type.value) };
    case 'object':
      return Object.fromEntries(
        type.properties.filter(({ required }) => required).map((property) => [property.name, exampleOf(property.type)]),
      );
    default:
      return 'text';
  }
}

function exampleKey(type: FieldType): string {
  const key = exampleOf(type);
  return typeof key === 'string' ? key : JSON.stringify(key);
}

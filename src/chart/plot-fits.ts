import { TypedError } from '../domain/failures.ts';
import { nearestName } from '../domain/nearest-name.ts';
import type { FieldType, Signature } from '../domain/signature/field-type.ts';
import { renderFields, renderType } from '../domain/signature/render.ts';
import type { PlotSpec } from './plot-spec.ts';
import { readDate } from './read-date.ts';

/**
 * Checks before anything is spent that some output may turn out as what the plot shows: a list of dicts with its keys,
 * numbers for x and y, or texts for x, which may be dates. What a signature leaves open (`list`, `dict`, `Any`) fits.
 *
 * @throws TypedError `Input.Invalid` that says what stands in the way, and how such an output is written
 */
export function checkPlotFits(outputs: Signature['outputs'], spec: PlotSpec): void {
  const rows = outputs.flatMap(({ name, type }) => rowTypes(type).map((row) => ({ name, row })));
  const found = rows.map(({ name, row }) => ({ name, problems: problemsOf(row, spec) }));
  if (found.some(({ problems }) => problems.length === 0)) return;
  const { x, y, series } = spec;
  const reasons = found.map(({ name, problems }) => `in ${name} ${problems.join(' and ')}`);
  const keys = [...new Set([...(series === undefined ? [] : [series]), x, y])];
  const wanted = keys.map((key) => `${keyText(key)}: ${key === x || key === y ? 'float' : 'str'}`).join(', ');
  throw new TypedError(
    'Input.Invalid',
    `--plot fits no output of the signature: ${reasons.join('; ') || 'none is a list of dicts'}. ` +
      `The outputs are ${renderFields(outputs)}. ` +
      `Name keys that there are, or make an output a list[dict] or a list[{${wanted}}].`,
  );
}

/** What the entries of a list may be, where the type can be one: those that can be dicts. */
function rowTypes(type: FieldType): readonly FieldType[] {
  switch (type.kind) {
    case 'any':
      return [type];
    case 'list':
    case 'tuple_of':
      return dictTypes(type.item);
    case 'tuple':
      return type.items.flatMap(dictTypes);
    case 'union':
      return type.members.flatMap(rowTypes);
    default:
      return [];
  }
}

function dictTypes(type: FieldType): readonly FieldType[] {
  if (type.kind === 'union') return type.members.flatMap(dictTypes);
  return type.kind === 'any' || type.kind === 'dict' || type.kind === 'object' ? [type] : [];
}

function problemsOf(row: FieldType, { x, y, series }: PlotSpec): readonly string[] {
  const numbers = [...new Set([x, y])].flatMap((key) => {
    const type = valueType(row, key);
    if (type === undefined) return [missing(row, key)];
    if (canBeNumber(type) || (key !== y && canBeDate(type))) return [];
    return [`${keyText(key)} is no number${key === y ? '' : ' or date'} but ${renderType(type)}`];
  });
  const others = series !== undefined && valueType(row, series) === undefined ? [missing(row, series)] : [];
  return [...numbers, ...others];
}

/** Of a dict's entry; undefined where it can have no such key. */
function valueType(row: FieldType, key: string): FieldType | undefined {
  if (row.kind === 'any') return row;
  if (row.kind === 'dict') return canBeKey(row.key, key) ? row.value : undefined;
  if (row.kind !== 'object') return undefined;
  return row.properties.find(({ name }) => name === key)?.type ?? row.additional ?? undefined;
}

/** Keys that are no texts arrive as JSON writes them. */
function canBeKey(type: FieldType, key: string): boolean {
  if (type.kind === 'union') return type.members.some((member) => canBeKey(member, key));
  if (type.kind === 'literal') return type.values.some((value) => String(value) === key);
  if (type.kind === 'int' || type.kind === 'float') return Number.isFinite(Number(key));
  return type.kind === 'bool' ? key === 'true' || key === 'false' : true;
}

function canBeNumber(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.some(canBeNumber);
  if (type.kind === 'literal') return type.values.some((value) => typeof value === 'number');
  return type.kind === 'int' || type.kind === 'float' || type.kind === 'any';
}

function canBeDate(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.some(canBeDate);
  if (type.kind === 'literal')
    return type.values.some((value) => typeof value === 'string' && readDate(value) !== undefined);
  return type.kind === 'str';
}

function missing(row: FieldType, key: string): string {
  const names = row.kind === 'object' ? row.properties.map(({ name }) => name) : [];
  const nearest = key.length < 3 ? undefined : nearestName(key, names);
  return `there is no ${keyText(key)}${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`;
}

/** As the signature's notation has it. */
function keyText(key: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(key) ? key : `'${key.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}

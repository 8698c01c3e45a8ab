/**
 * The type of a field: plain data, so that it travels through histories, records and the kernel's setup as it is.
 * All of its values are JSON values (see `checkValue` for the one that needs a convention: large integers).
 */
export type FieldType =
  | { readonly kind: 'str' }
  | { readonly kind: 'int' }
  | { readonly kind: 'float' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'none' }
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly item: FieldType }
  /** JSON's objects have strings for keys: other keys are written as JSON writes them (`{1: x}` is `{"1": x}`). */
  | { readonly kind: 'dict'; readonly key: FieldType; readonly value: FieldType }
  /** A JSON array of exactly these. */
  | { readonly kind: 'tuple'; readonly items: readonly FieldType[] }
  /** `tuple[T, ...]`: a JSON array of any length. */
  | { readonly kind: 'tuple_of'; readonly item: FieldType }
  | { readonly kind: 'literal'; readonly values: readonly LiteralValue[] }
  | { readonly kind: 'union'; readonly members: readonly FieldType[] }
  /** A JSON object with known keys; others have the type `additional`, or are refused where that is null. */
  | { readonly kind: 'object'; readonly properties: readonly Property[]; readonly additional: FieldType | null };

export type LiteralValue = string | number | boolean | null;

export interface Property {
  readonly name: string;
  readonly type: FieldType;
  readonly required: boolean;
  readonly description?: string;
}

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly description?: string;
}

export interface Signature {
  /** What the fields do not say; undefined where nothing was given. */
  readonly instructions?: string;
  readonly inputs: readonly Field[];
  /** At least one. */
  readonly outputs: readonly Field[];
}

export const STR = { kind: 'str' } as const satisfies FieldType;
export const INT = { kind: 'int' } as const satisfies FieldType;
export const FLOAT = { kind: 'float' } as const satisfies FieldType;
export const BOOL = { kind: 'bool' } as const satisfies FieldType;
export const NONE = { kind: 'none' } as const satisfies FieldType;
export const ANY = { kind: 'any' } as const satisfies FieldType;

/** Nested unions are one union; what occurs twice counts once; None comes last. */
export function unionOf(types: readonly FieldType[]): FieldType {
  const members = new Map<string, FieldType>();
  for (const type of types.flatMap((each) => (each.kind === 'union' ? each.members : [each]))) {
    members.set(JSON.stringify(type), type);
  }
  const list = [...members.values()];
  const ordered = [...list.filter(({ kind }) => kind !== 'none'), ...list.filter(({ kind }) => kind === 'none')];
  const [only, ...others] = ordered;
  return only !== undefined && others.length === 0 ? only : { kind: 'union', members: ordered };
}

/** `typing.Literal` keeps True and 1 apart, and so do we. */
export function literalOf(values: readonly LiteralValue[]): FieldType {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]));
  return { kind: 'literal', values: [...seen.values()] };
}

/** Whether all values of the type can be keys of a dict. */
export function isKeyType(type: FieldType): boolean {
  switch (type.kind) {
    case 'str':
    case 'int':
    case 'float':
    case 'bool':
    case 'any':
    case 'literal':
      return true;
    case 'union':
      return type.members.every(isKeyType);
    default:
      return false;
  }
}

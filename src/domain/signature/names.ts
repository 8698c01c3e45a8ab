import { nearestName } from '../nearest-name.ts';

/** Words that Python keeps for itself: no name of a variable or an argument. */
const KEYWORDS = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from global ' +
    'if import in is lambda nonlocal not or pass raise return try while with yield'
  ).split(' '),
);

/** What the code finds in its sandbox besides its variables: no field and no tool may hide it. */
export const RESERVED_NAMES: readonly string[] = [
  'FINAL',
  'FINAL_VAR',
  'SUBMIT',
  'llm_query',
  'llm_query_batched',
  'rlm_query',
  'rlm_query_batched',
  'edit_file',
  'apply_patch',
  'print',
];

const MAX_NAME_LENGTH = 200;

/** As Python reads names: a ligature or a full-width letter is the plain one. */
export function normalizedName(name: string): string {
  return name.normalize('NFKC');
}

export function isIdentifier(name: string): boolean {
  return /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(name);
}

/** Why a field cannot have this name, as the end of a sentence; undefined where it can. */
export function nameProblem(name: string): string | undefined {
  if (!isIdentifier(name)) {
    return 'is not a Python identifier; use letters, digits and underscores, and no digit first';
  }
  if (KEYWORDS.has(name)) return 'is a keyword of Python; choose another name';
  if (name.startsWith('_')) return 'begins with an underscore; leave it out';
  if (RESERVED_NAMES.includes(name)) return 'is the name of a function in the sandbox; choose another name';
  if (name.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters; choose a shorter name`;
  return undefined;
}

const OTHER_WORDS: Readonly<Record<string, string>> = {
  string: 'str',
  text: 'str',
  String: 'str',
  integer: 'int',
  Integer: 'int',
  number: 'float',
  double: 'float',
  Number: 'float',
  boolean: 'bool',
  Boolean: 'bool',
  array: 'list',
  Array: 'list',
  List: 'list',
  object: 'dict',
  Object: 'dict',
  map: 'dict',
  any: 'Any',
  unknown: 'Any',
  null: 'None',
  nil: 'None',
  undefined: 'None',
  enum: 'Literal',
};

const NOT_JSON: Readonly<Record<string, string>> = {
  set: 'JSON has no sets; use list[...]',
  frozenset: 'JSON has no sets; use list[...]',
  Set: 'JSON has no sets; use list[...]',
  FrozenSet: 'JSON has no sets; use list[...]',
  bytes: 'JSON has no bytes; use str, in base64 where it is not text',
  bytearray: 'JSON has no bytes; use str, in base64 where it is not text',
  complex: 'JSON has no complex numbers; use tuple[float, float]',
  datetime: 'JSON has no dates; use str, as ISO 8601',
  date: 'JSON has no dates; use str, as ISO 8601',
  Decimal: 'JSON has no decimals; use str or float',
};

const TYPE_NAMES = [
  'str',
  'int',
  'float',
  'bool',
  'list',
  'dict',
  'tuple',
  'Literal',
  'Optional',
  'Union',
  'Any',
  'None',
];

/** What to do about an unknown type. */
export function unknownTypeAdvice(name: string): string {
  const reason = NOT_JSON[name];
  if (reason !== undefined) return `${reason}.`;
  const meant = Object.hasOwn(OTHER_WORDS, name) ? OTHER_WORDS[name] : nearestName(name, TYPE_NAMES);
  const list =
    'The types are str, int, float, bool, list[T], dict[K, V], tuple[...], Literal[...], Optional[T], A | B, Any.';
  return meant === undefined ? list : `Did you mean ${meant}? ${list}`;
}

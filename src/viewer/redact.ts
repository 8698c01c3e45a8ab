/** Fields that hold what somebody or something wrote. Ids, names of models, states, times and costs are none of them. */
const TEXTS = new Set([
  'text',
  'task',
  'error',
  'reason',
  'name',
  'commit',
  'branch',
  'signature',
  'notes',
  'files',
  'events',
  'variables',
  'sandbox',
  'not_run',
]);

/** The same value without any text of the run: each is replaced by how long it was. */
export function redacted<T>(value: T): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same shape
  return hide(value, '') as T;
}

function hide(value: unknown, key: string): unknown {
  if (key === 'config' || key === 'value') return null;
  if (typeof value === 'string')
    return TEXTS.has(key) && value !== '' ? `(${value.length} characters left out)` : value;
  if (Array.isArray(value)) return value.map((item: unknown) => hide(item, key));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, hide(field, name)]));
}

import { isIdentifier, nameProblem, normalizedName } from '../domain/signature/names.ts';

/** Python's own functions that code is likely to call: a tool of such a name would take their place. */
const BUILTINS = new Set(
  (
    'abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex copyright ' +
    'credits delattr dict dir display divmod enumerate eval exec exit filter float format frozenset getattr globals hasattr ' +
    'hash help hex id input int isinstance issubclass iter len license list locals map max memoryview min next object oct ' +
    'open ord pow print property quit range repr reversed round set setattr slice sorted staticmethod str sum super tuple ' +
    'type vars zip'
  ).split(' '),
);

/** Why a tool cannot have this name, as the end of a sentence; undefined where it can. */
export function toolNameProblem(name: string): string | undefined {
  if (name === 'task') return 'is the name of a variable in the sandbox; choose another name';
  if (BUILTINS.has(name)) return 'is the name of a function of Python; choose another name';
  if (normalizedName(name) !== name) return 'has letters that Python reads as others; use plain ones';
  return nameProblem(name);
}

/** An identifier that resembles the text. */
export function asIdentifier(text: string): string {
  const plain = normalizedName(text)
    .replaceAll(/[^\p{XID_Continue}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 100);
  return isIdentifier(plain) ? plain : `x_${plain}`;
}

/** `name`, or `name_2` and so on: the first that is not taken. */
export function freeName(name: string, isTaken: (name: string) => boolean): string {
  for (let number = 2, free = name; ; number += 1) {
    if (!isTaken(free)) return free;
    free = `${name}_${number}`;
  }
}

import { signatureError, type Complaint } from './signature-error.ts';

export type Token =
  | { readonly type: 'name' | 'number'; readonly text: string; readonly at: number; readonly end: number }
  | { readonly type: 'text'; readonly text: string; readonly value: string; readonly at: number; readonly end: number }
  | { readonly type: Punctuation | 'end'; readonly text: string; readonly at: number; readonly end: number };

type Punctuation = (typeof PUNCTUATION)[number];

const PUNCTUATION = ['->', '...', '[', ']', '{', '}', '(', ')', ',', ':', '|', '?', '.', '=', '-', '*', '/'] as const;
const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The words of a text in DSPy's notation; the last one is `end`. @throws SignatureError */
export function tokens(source: string, place: string): Token[] {
  const found: Token[] = [];
  const fail = (complaint: Complaint): never => {
    throw signatureError(source, place, complaint);
  };
  for (let at = 0; at < source.length;) {
    const blank = /\s+/uy;
    blank.lastIndex = at;
    if (blank.test(source)) {
      at = blank.lastIndex;
      continue;
    }
    const token = nextToken(source, at, fail);
    found.push(token);
    at = token.end;
  }
  found.push({ type: 'end', text: '', at: source.length, end: source.length });
  return found;
}

type Fail = (complaint: Complaint) => never;

function nextToken(source: string, at: number, fail: Fail): Token {
  const word = /(?<name>[\p{XID_Start}_]\p{XID_Continue}*)|(?<number>\d[\p{XID_Continue}]*)/uy;
  word.lastIndex = at;
  const match = word.exec(source);
  if (match !== null) {
    const type = match.groups?.['name'] === undefined ? 'number' : 'name';
    if (type === 'name' && /['"]/.test(source[word.lastIndex] ?? '')) {
      return fail({
        position: at,
        length: match[0].length,
        problem: `a text with the prefix ${match[0]}`,
        advice: 'Write it in plain quotes.',
      });
    }
    return { type, text: match[0], at, end: word.lastIndex };
  }
  const mark = PUNCTUATION.find((each) => source.startsWith(each, at));
  if (mark !== undefined) return { type: mark, text: mark, at, end: at + mark.length };
  const quote = source[at];
  if (quote === '"' || quote === "'") return quoted(source, at, quote, fail);
  const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
  return fail({
    position: at,
    length: character.length,
    problem: `${JSON.stringify(character)} has no meaning here`,
    advice: 'A signature looks like this: documents: list[str], question -> answer: str',
  });
}

function quoted(source: string, at: number, quote: string, fail: Fail): Token {
  let value = '';
  for (let index = at + 1; index < source.length;) {
    const character = source[index] ?? '';
    if (character === quote) return { type: 'text', text: source.slice(at, index + 1), value, at, end: index + 1 };
    if (character === '\n') break;
    if (character !== '\\') {
      value += character;
      index += 1;
      continue;
    }
    const escape = escaped(source, index, fail);
    value += escape.value;
    index = escape.end;
  }
  return fail({ position: at, problem: 'this text does not end', advice: `Close it with ${quote}` });
}

/** As in Python's texts; `\N{...}` is not known. */
function escaped(source: string, at: number, fail: Fail): { value: string; end: number } {
  const next = source[at + 1] ?? '';
  const simple = ESCAPES[next];
  if (simple !== undefined) return { value: simple, end: at + 2 };
  const digits = /x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}/y;
  digits.lastIndex = at + 1;
  const match = digits.exec(source)?.[0];
  const code =
    match === undefined
      ? Number.NaN
      : /^[0-7]/.test(match)
        ? Number.parseInt(match, 8)
        : Number.parseInt(match.slice(1), 16);
  if (match !== undefined && code <= 0x10ffff) return { value: String.fromCodePoint(code), end: at + 1 + match.length };
  if (/[NxuU]/.test(next)) {
    return fail({
      position: at,
      length: 2,
      problem: `\\${next} is not a complete escape`,
      advice: 'Write the character itself, or \\xhh, \\uhhhh or \\Uhhhhhhhh with hexadecimal digits.',
    });
  }
  // Python leaves what is no escape as it stands.
  return { value: '\\', end: at + 1 };
}

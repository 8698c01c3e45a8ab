import {
  ANY,
  BOOL,
  FLOAT,
  INT,
  isKeyType,
  literalOf,
  NONE,
  STR,
  unionOf,
  type FieldType,
  type LiteralValue,
  type Property,
} from './field-type.ts';
import { normalizedName, unknownTypeAdvice } from './names.ts';
import { signatureError, type SignatureError } from './signature-error.ts';
import type { Token } from './tokens.ts';

const SIMPLE = new Map<string, FieldType>([
  ['str', STR],
  ['int', INT],
  ['float', FLOAT],
  ['bool', BOOL],
  ['None', NONE],
  ['NoneType', NONE],
  ['Any', ANY],
]);
/** What a generic type is when nothing is said about what it holds. */
const BARE = new Map<string, FieldType>([
  ['list', { kind: 'list', item: ANY }],
  ['dict', { kind: 'dict', key: ANY, value: ANY }],
  ['tuple', { kind: 'tuple_of', item: ANY }],
]);
const ALIASES = new Map([
  ['List', 'list'],
  ['Dict', 'dict'],
  ['Tuple', 'tuple'],
]);
const MAX_DEPTH = 50;

/** Reads types, one token after the other. */
export class TypeParser {
  protected readonly all: readonly Token[];
  readonly #source: string;
  readonly #place: string;
  #next = 0;
  #depth = 0;

  constructor(source: string, all: readonly Token[], place: string) {
    this.#source = source;
    this.all = all;
    this.#place = place;
  }

  protected peek(): Token {
    const token = this.all[this.#next];
    if (token === undefined) throw new Error('read beyond the end');
    return token;
  }

  protected take(): Token {
    const token = this.peek();
    if (token.type !== 'end') this.#next += 1;
    return token;
  }

  protected complain({ at, end }: Token, problem: string, advice: string): SignatureError {
    return signatureError(this.#source, this.#place, { position: at, length: end - at, problem, advice });
  }

  expectEnd(): void {
    const token = this.peek();
    if (token.type !== 'end') throw this.complain(token, `\`${token.text}\` does not belong here`, 'Remove it.');
  }

  /** One type, or several with `|` between them. */
  type(): FieldType {
    if (this.#depth >= MAX_DEPTH)
      throw this.complain(this.peek(), `nested deeper than ${MAX_DEPTH}`, 'Use Any inside.');
    this.#depth += 1;
    const members = [this.#single()];
    while (this.peek().type === '|') {
      this.take();
      members.push(this.#single());
    }
    this.#depth -= 1;
    return members.length === 1 && members[0] !== undefined ? members[0] : unionOf(members);
  }

  #single(): FieldType {
    const token = this.take();
    if (token.type === '(') {
      const type = this.type();
      this.#close(token, ')');
      return type;
    }
    if (token.type === '{') return this.#object(token);
    if (token.type === 'name') return this.#named(token);
    if (token.type === 'text') {
      throw this.complain(
        token,
        'a text where a type is wanted',
        `Write the type without quotes, or Literal[${token.text}].`,
      );
    }
    const what = token.type === 'end' ? 'a type is missing at the end' : `\`${token.text}\` where a type is wanted`;
    throw this.complain(token, what, unknownTypeAdvice(''));
  }

  #named(first: Token): FieldType {
    const token = first.text === 'typing' && this.peek().type === '.' ? this.#afterDot() : first;
    const name = ALIASES.get(token.text) ?? token.text;
    const simple = SIMPLE.get(name);
    if (simple !== undefined) return this.#withoutArguments(token, simple);
    if (this.peek().type === '.') {
      throw this.complain(this.peek(), `nothing can be looked up in ${token.text}`, unknownTypeAdvice(''));
    }
    if (name === 'Literal') return this.#literal(token);
    if (name === 'Optional' || name === 'Union') return this.#choice(token, name);
    const bare = BARE.get(name);
    if (bare === undefined) throw this.complain(token, `there is no type ${token.text} here`, unknownTypeAdvice(name));
    return this.peek().type === '[' ? this.#generic(token, name) : bare;
  }

  #afterDot(): Token {
    this.take();
    return this.take();
  }

  #withoutArguments(token: Token, type: FieldType): FieldType {
    if (this.peek().type === '[') {
      throw this.complain(this.peek(), `${token.text} takes nothing in brackets`, `Write ${token.text} alone.`);
    }
    return type;
  }

  #generic(token: Token, name: string): FieldType {
    if (name === 'tuple') return this.#tuple();
    const types = this.#arguments((): FieldType => this.type());
    const [first, second, third] = types;
    if (name === 'list') {
      if (first !== undefined && second === undefined) return { kind: 'list', item: first };
      throw this.complain(
        token,
        `list holds one type, not ${types.length}`,
        'Write list[T], or list[A | B] for a mixture.',
      );
    }
    if (first === undefined || second === undefined || third !== undefined) {
      const advice = 'Write dict[K, V]: the type of the keys, and of the values.';
      throw this.complain(token, `dict takes two types, not ${types.length}`, advice);
    }
    if (!isKeyType(first)) {
      throw this.complain(
        token,
        'keys of this type cannot be had in JSON',
        'Use str, int, float, bool or Literal for keys.',
      );
    }
    return { kind: 'dict', key: first, value: second };
  }

  /** `[a, b]`, a comma may follow the last; never empty. */
  #arguments<T>(read: () => T): T[] {
    const open = this.take();
    const found: T[] = [];
    while (this.peek().type !== ']') {
      found.push(read());
      if (this.peek().type !== ',') break;
      this.take();
    }
    this.#close(open, ']');
    if (found.length === 0)
      throw this.complain(open, 'there is nothing in these brackets', 'Name a type in them, or leave them out.');
    return found;
  }

  #close(open: Token, mark: ')' | ']' | '}'): void {
    const token = this.peek();
    if (token.type === mark) {
      this.take();
      return;
    }
    if (token.type === 'end' || token.type === '->') {
      throw this.complain(open, `this ${open.text} is never closed`, `Add the ${mark} that belongs to it.`);
    }
    throw this.complain(
      token,
      `\`${token.text}\` where , or ${mark} is wanted`,
      `Close what was opened with ${open.text}, or go on with a comma.`,
    );
  }

  #tuple(): FieldType {
    const open = this.peek();
    const after = this.all[this.#next + 1];
    if (after?.type === '(' && this.all[this.#next + 2]?.type === ')') {
      this.#next += 3;
      this.#close(open, ']');
      return { kind: 'tuple', items: [] };
    }
    let dots: Token | undefined;
    const items = this.#arguments((): FieldType | undefined => {
      if (this.peek().type !== '...') return this.type();
      dots = this.take();
      return undefined;
    });
    const [first, second] = items;
    if (dots === undefined) return { kind: 'tuple', items: items.filter((item) => item !== undefined) };
    if (items.length === 2 && first !== undefined && second === undefined) return { kind: 'tuple_of', item: first };
    throw this.complain(dots, '`...` stands after one type only', 'Write tuple[T, ...] for any number of T.');
  }

  #choice(token: Token, name: string): FieldType {
    if (this.peek().type !== '[') {
      const advice = name === 'Optional' ? 'Write Optional[T], or T | None.' : 'Write Union[A, B], or A | B.';
      throw this.complain(token, `${name} alone says nothing`, advice);
    }
    const types = this.#arguments((): FieldType => this.type());
    if (name === 'Union') return unionOf(types);
    if (types.length === 1) return unionOf([...types, NONE]);
    throw this.complain(token, `Optional takes one type, not ${types.length}`, 'Write A | B | None.');
  }

  #literal(token: Token): FieldType {
    if (this.peek().type !== '[')
      throw this.complain(token, 'Literal alone says nothing', "Write the values: Literal['a', 'b'].");
    return literalOf(this.#arguments((): LiteralValue => this.#literalValue()));
  }

  #literalValue(): LiteralValue {
    const token = this.take();
    if (token.type === 'text') return token.value;
    if (token.type === 'name' && token.text === 'None') return null;
    if (token.type === 'name' && (token.text === 'True' || token.text === 'False')) return token.text === 'True';
    const number = token.type === '-' ? this.take() : token;
    if (number.type === 'number' && this.peek().type !== '.' && /^(?:0|[1-9](?:_?\d)*)$/.test(number.text)) {
      const value = Number(number.text.replaceAll('_', ''));
      if (Number.isSafeInteger(value)) return token.type === '-' && value !== 0 ? -value : value;
    }
    throw this.complain(
      token,
      `\`${token.text}\` is not a value for Literal`,
      'Use texts in quotes, integers, True, False or None.',
    );
  }

  #object(open: Token): FieldType {
    const properties: Property[] = [];
    let additional: FieldType | null = null;
    while (this.peek().type !== '}' && additional === null) {
      if (this.peek().type === '...') {
        this.take();
        additional = this.#afterColon(ANY);
      } else {
        properties.push(this.#property(properties));
      }
      if (this.peek().type !== ',') break;
      this.take();
    }
    this.#close(open, '}');
    return { kind: 'object', properties, additional };
  }

  #property(others: readonly Property[]): Property {
    const token = this.take();
    if (token.type !== 'name' && token.type !== 'text') {
      throw this.complain(
        token,
        `\`${token.text}\` where a key is wanted`,
        'An object looks like this: {chapter: int, event?: str}',
      );
    }
    const name = token.type === 'text' ? token.value : normalizedName(token.text);
    if (others.some((other) => other.name === name)) {
      throw this.complain(token, `the key ${name} is there twice`, 'Leave one of them out.');
    }
    const required = this.peek().type !== '?';
    if (!required) this.take();
    const next = this.peek();
    if (next.type === 'name')
      throw this.complain(
        next,
        `a \`:\` is missing after ${name}`,
        `Write ${token.text}: ${next.text}, or a comma between two keys.`,
      );
    return { name, type: this.#afterColon(STR), required };
  }

  #afterColon(otherwise: FieldType): FieldType {
    if (this.peek().type !== ':') return otherwise;
    this.take();
    return this.type();
  }
}

import Tokenizer, { TokenizerError } from '@streamparser/json/tokenizer.js';
import TokenType from '@streamparser/json/utils/types/tokenType.js';
import { ExactNumber } from '../domain/summarize-value.ts';
import { NO_NAN } from './parse-json.ts';
import { asBuffer } from './utf8-reader.ts';

export type Token =
  | { readonly kind: 'mark'; readonly mark: '{' | '}' | '[' | ']' | ':' | ',' }
  | { readonly kind: 'value'; readonly value: string | ExactNumber | boolean | null };

/** What is wrong with a text that is not JSON. */
export class JsonFault extends Error {}

const MARKS = new Map<number, Token>([
  [TokenType.LEFT_BRACE, { kind: 'mark', mark: '{' }],
  [TokenType.RIGHT_BRACE, { kind: 'mark', mark: '}' }],
  [TokenType.LEFT_BRACKET, { kind: 'mark', mark: '[' }],
  [TokenType.RIGHT_BRACKET, { kind: 'mark', mark: ']' }],
  [TokenType.COLON, { kind: 'mark', mark: ':' }],
  [TokenType.COMMA, { kind: 'mark', mark: ',' }],
]);
const NEWLINE = 0x0a;
/** What people and programs write in place of JSON, by what is found there. */
const ADVICE: readonly (readonly [beginning: RegExp, advice: string])[] = [
  [/^'/, 'texts and keys are in double quotes'],
  [/^(?:True|False|None)\b/, 'JSON writes true, false and null'],
  [/^(?:\/[/*]|#)/, 'JSON has no comments'],
  [/^<[!a-z?]/i, 'it looks like a web page or XML; make the field a str for its text'],
  [/^\./, 'a number begins with a digit'],
  [/^\+/, 'a number has no plus sign'],
  [/^undefined\b/, 'write null where a value is missing'],
];

/** Numbers stay as they are written. */
class ExactTokenizer extends Tokenizer {
  override parseNumber(text: string): number {
    return new ExactNumber(text) as unknown as number;
  }
}

/** Cuts JSON into tokens as it arrives, wherever its pieces are cut. It must be UTF-8. */
export class JsonTokens {
  readonly #tokenizer = new ExactTokenizer({ stringBufferSize: 64 * 1024 });
  #chunk: Buffer = Buffer.alloc(0);
  /** Bytes and lines before the chunk. */
  #before = 0;
  #linesBefore = 0;
  #offset = 0;
  #isDone = false;

  /** @param take - called with each token; may throw */
  constructor(take: (token: Token) => void) {
    this.#tokenizer.onToken = ({ token, value, offset }) => {
      this.#offset = offset;
      take(MARKS.get(token) ?? { kind: 'value', value: value as string | ExactNumber | boolean | null });
    };
    this.#tokenizer.onError = (error) => {
      throw error;
    };
  }

  /** Of the token that was taken last, from 1. */
  get line(): number {
    return this.#linesBefore + countLines(this.#chunk.subarray(0, Math.max(0, this.#offset - this.#before))) + 1;
  }

  /** Nothing but blanks may follow. */
  done(): void {
    this.#isDone = true;
  }

  /** @throws JsonFault */
  write(chunk: Uint8Array): void {
    this.#linesBefore += countLines(this.#chunk);
    this.#before += this.#chunk.length;
    this.#chunk = asBuffer(chunk);
    this.#do(() => {
      this.#tokenizer.write(chunk);
    });
  }

  end(): void {
    this.#do(() => {
      if (!this.#tokenizer.isEnded) this.#tokenizer.end();
    });
  }

  #do(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof TokenizerError) throw new JsonFault(this.#describe(error), { cause: error });
      // JavaScript's texts have a length of at most 2^29.
      if (error instanceof RangeError) throw new JsonFault('a text in it is longer than 500 MB', { cause: error });
      throw error;
    }
  }

  #describe({ message }: Error): string {
    const found = /^Unexpected "([\s\S]*)" at chunk position "\d+" \(absolute position "(\d+)"\)/.exec(message);
    if (found === null) return 'it ends in the middle of a value';
    const [, text = '', position = '0'] = found;
    this.#offset = Number(position);
    const rest = this.#chunk.toString('latin1', this.#offset - this.#before, this.#offset - this.#before + 10);
    if (/^(?:NaN|-?Infinity)/.test(rest) || text === 'I') return NO_NAN;
    if (this.#isDone) return 'there is more after the end of the JSON value';
    if (text < ' ' && text !== '')
      return 'a text holds a line end or another control character, which JSON writes as \\n or \\u0000';
    const advice = ADVICE.find(([beginning]) => beginning.test(rest))?.[1];
    return `${JSON.stringify(text)} is not expected there${advice === undefined ? '' : `; ${advice}`}`;
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

import type { InputSummary } from '../domain/kernel-protocol.ts';
import { ANY, type Field } from '../domain/signature/field-type.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import { likelyEncoding } from './encoding.ts';
import { invalid } from './invalid.ts';
import { JsonFault, JsonTokens } from './json-tokens.ts';
import { TypeFault, walkValue } from './json-walk.ts';
import { Utf8Reader } from './utf8-reader.ts';

/** Checks a JSON text of any size while it passes; nothing of it is kept but its beginning. */
export class JsonCheck {
  readonly #field: Field;
  readonly #label: string;
  readonly #typed: string;
  readonly #reader = new Utf8Reader();
  readonly #tokens: JsonTokens;
  readonly #walk: ReturnType<typeof walkValue>;
  #isEmpty = true;
  #result: { readonly preview: unknown } | undefined;

  /** @param typed - what names it on the command line: `@label`, `-` */
  constructor(field: Field, label: string, typed = `@${label}`) {
    this.#field = field;
    this.#label = label;
    this.#typed = typed;
    this.#walk = walkValue(field.type, field.name);
    this.#walk.next();
    this.#tokens = new JsonTokens((token) => {
      if (this.#result !== undefined) throw new JsonFault('there is more after the end of the JSON value');
      const step = this.#walk.next(token);
      if (step.done !== true) return;
      this.#result = { preview: step.value };
      this.#tokens.done();
    });
  }

  /** @throws TypedError `Input.Invalid` */
  take(chunk: Uint8Array): void {
    this.#isEmpty &&= chunk.length === 0;
    this.#reader.read(chunk);
    this.#checkEncoding();
    this.#do(() => {
      this.#tokens.write(chunk);
    });
  }

  end(): void {
    this.#reader.end();
    this.#checkEncoding();
    this.#do(() => {
      this.#tokens.end();
      if (this.#result === undefined)
        throw new JsonFault(this.#isEmpty ? 'it is empty' : 'it ends before its value is complete');
    });
  }

  /** After the end. */
  summary(): InputSummary {
    return summarizeValue(this.#result?.preview, this.#field.type);
  }

  #checkEncoding(): void {
    const { oddSample } = this.#reader;
    if (oddSample !== undefined) throw invalid(notUtf8Json(this.#label, this.#typed, oddSample));
  }

  #do(act: () => void): void {
    try {
      act();
    } catch (error) {
      const place = `${this.#label}, line ${this.#tokens.line}`;
      if (error instanceof TypeFault) throw invalid(`${place}: ${error.message}`);
      if (error instanceof JsonFault) throw invalid(`${place} is not JSON: ${error.message}`);
      throw error;
    }
  }
}

export function notUtf8Json(label: string, typed: string, sample: Uint8Array): string {
  const likely = likelyEncoding(sample);
  return `${label} holds bytes that are not UTF-8; it looks like ${likely}: name its encoding (${typed};encoding=${likely})`;
}

/** Of JSON that is known to be right, what a summary shows: numbers as they are written, keys in their order. */
export function previewOfJson(text: string): unknown {
  const walk = walkValue(ANY, 'value');
  walk.next();
  let preview: unknown;
  const tokens = new JsonTokens((token) => {
    const step = walk.next(token);
    if (step.done === true) preview = step.value;
  });
  tokens.write(Buffer.from(text));
  tokens.end();
  return preview;
}

import { lengthOfText, endOfText, startOfText } from '../domain/python-repr.ts';
import { SHOWN_TEXT, TextGlimpse } from '../domain/summarize-value.ts';
import { Utf8Reader } from './utf8-reader.ts';

/** Measures a text as it passes, and keeps its beginning and end, which a summary shows. */
export class TextTally {
  #start = '';
  #startLength = 0;
  #end = '';
  #length = 0;

  take(text: string): void {
    if (this.#startLength < SHOWN_TEXT) {
      this.#start += startOfText(text, SHOWN_TEXT - this.#startLength);
      this.#startLength = lengthOfText(this.#start);
    }
    this.#end = endOfText(this.#end + text.slice(-2 * SHOWN_TEXT - 1), SHOWN_TEXT);
    this.#length += lengthOfText(text);
  }

  glimpse(): TextGlimpse {
    return new TextGlimpse(this.#start, this.#end, this.#length);
  }
}

/** Passes the bytes of a text on, and measures what they say. */
export async function* tallied(bytes: AsyncIterable<Uint8Array>, tally: TextTally): AsyncGenerator<Uint8Array> {
  const reader = new Utf8Reader();
  for await (const chunk of bytes) {
    tally.take(reader.read(chunk));
    yield chunk;
  }
  tally.take(reader.end());
}

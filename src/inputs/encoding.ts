import iconv from 'iconv-lite';
import { analyse } from 'chardet';
import { invalid } from './invalid.ts';
import { asBuffer, Utf8Reader } from './utf8-reader.ts';

/** Longest first: the mark of UTF-32 LE begins with that of UTF-16 LE. */
const BYTE_ORDER_MARKS: readonly (readonly [mark: readonly number[], encoding: string])[] = [
  [[0xff, 0xfe, 0, 0], 'UTF-32LE'],
  [[0, 0, 0xfe, 0xff], 'UTF-32BE'],
  [[0xef, 0xbb, 0xbf], 'UTF-8'],
  [[0xff, 0xfe], 'UTF-16LE'],
  [[0xfe, 0xff], 'UTF-16BE'],
];
const WESTERN = 'windows-1252';
const MIN_ODD_BYTES = 12;
const SURE = 80;
const UTF_8 = /^utf[-_ ]?8$/i;

export interface TextEncoding {
  readonly name: string;
  /** Bytes of its mark at the beginning. */
  readonly markLength: number;
}

function markOf(start: Uint8Array): (typeof BYTE_ORDER_MARKS)[number] | undefined {
  return BYTE_ORDER_MARKS.find(([mark]) => mark.every((byte, index) => start[index] === byte));
}

/** A byte order mark decides the encoding; else the caller; else it is UTF-8. */
export function encodingOf(start: Uint8Array, named: string | undefined, input: string): TextEncoding {
  const isUnknown: boolean = named !== undefined && !iconv.encodingExists(named);
  if (isUnknown)
    throw invalid(
      `${input}: there is no encoding ${named}; name one such as windows-1252, iso-8859-15, utf-16le or shift_jis`,
    );
  const found = markOf(start);
  if (found !== undefined) return { name: found[1], markLength: found[0].length };
  return { name: named === undefined || UTF_8.test(named) ? 'UTF-8' : named, markLength: 0 };
}

/**
 * Whether a file of many stays UTF-8, for which another encoding is named: bytes of another that are well-formed UTF-8 by
 * chance are all but unheard of, and most folders with some files of the one have some of the other.
 */
export function keepsUtf8(start: Uint8Array, named: string | undefined): boolean {
  if (named === undefined || /utf|ucs/i.test(named) || markOf(start) !== undefined) return false;
  // The last character may be cut.
  const reader = new Utf8Reader();
  return /[^\0-\x7f]/.test(reader.read(start)) && reader.oddSample === undefined;
}

/** The same text as UTF-8 without a byte order mark. What is UTF-8 by name is passed on as it is, right or wrong. */
export async function* transcoded(
  bytes: AsyncIterable<Uint8Array>,
  { name, markLength }: TextEncoding,
): AsyncGenerator<Uint8Array> {
  const decoder = name === 'UTF-8' ? undefined : iconv.getDecoder(name, { stripBOM: false });
  let markLeft = markLength;
  // The first half of a character whose other half has not arrived.
  let half = '';
  for await (const chunk of bytes) {
    const rest = chunk.subarray(Math.min(markLeft, chunk.length));
    markLeft -= chunk.length - rest.length;
    if (decoder === undefined) yield rest;
    else {
      const text = half + decoder.write(asBuffer(rest));
      half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
      yield Buffer.from(text.slice(0, text.length - half.length));
    }
  }
  yield Buffer.from(half + (decoder?.end() ?? ''));
}

/** The encoding that bytes which are not UTF-8 look like most. */
export function likelyEncoding(sample: Uint8Array): string {
  const odd = sample.reduce((count, byte) => count + (byte >= 0x80 ? 1 : 0), 0);
  const best = analyse(sample).find(({ name }) => iconv.encodingExists(name) && !/^UTF|^ASCII/i.test(name));
  if (best === undefined || best.name === 'ISO-8859-1') return WESTERN;
  // A few odd bytes are what accents of a Western text are; an alphabet of another script has many.
  return odd < MIN_ODD_BYTES && best.confidence < SURE ? WESTERN : best.name;
}

/** Whether bytes are UTF-16 without a byte order mark: every second one of a Western text is zero. */
export function utf16WithoutMark(start: Uint8Array): string | undefined {
  const sample = start.subarray(0, 1000);
  const zeros = [0, 0];
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros.map((count) => count / (sample.length / 2));
  if (odd > 0.7 && even < 0.1) return 'UTF-16LE';
  return even > 0.7 && odd < 0.1 ? 'UTF-16BE' : undefined;
}

/** Of files of a folder that are UTF-8, although another encoding is named for it. */
export function describeKeptUtf8(input: string, names: readonly string[], named: string | undefined): string {
  const shown = names.slice(0, SHOWN_NAMES).join(', ');
  const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : '';
  const files = names.length === 1 ? '1 file of' : `${names.length} files of`;
  return `${files} ${input} ${names.length === 1 ? 'is' : 'are'} UTF-8, not ${named}, and ${names.length === 1 ? 'was' : 'were'} read as such: ${shown}${more}`;
}

/** Names of files that are listed. */
const SHOWN_NAMES = 3;

/**
 * What to do about files that are not UTF-8.
 *
 * @param typed - how the input's files were named, `@docs`
 */
export function notUtf8(
  input: string,
  typed: string,
  { names, count, sample }: { readonly names: readonly string[]; readonly count: number; readonly sample: Uint8Array },
): string {
  const shown = names.slice(0, SHOWN_NAMES).join(', ');
  const more = count > SHOWN_NAMES ? ` and ${count - SHOWN_NAMES} more` : '';
  const [files, looks] =
    count === 1 ? ['1 file', 'is not UTF-8 and looks'] : [`${count} files`, 'are not UTF-8; the first looks'];
  const likely = likelyEncoding(sample);
  return (
    `${files} of ${input} ${looks} like ${likely}: ${shown}${more}; ` +
    `write '${input}=${typed};encoding=${likely}', or the odd bytes are kept as Python's surrogateescape has them`
  );
}

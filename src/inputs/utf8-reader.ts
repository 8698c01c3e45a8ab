import { isUtf8 } from 'node:buffer';

/**
 * Bytes as text, piece by piece, as the kernel's format `text` reads them: a byte order mark at the beginning is left
 * out, and each byte that is not UTF-8 becomes half a surrogate pair, `\udc80` to `\udcff`.
 */
export class Utf8Reader {
  /** The beginning of a character whose rest has not arrived. */
  #open: Uint8Array = new Uint8Array();
  #isFirst = true;
  #isUtf8 = true;

  /** Of what was read. */
  get isUtf8(): boolean {
    return this.#isUtf8;
  }

  read(chunk: Uint8Array): string {
    const bytes = this.#open.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#open, chunk]);
    const end = bytes.length - openAtEnd(bytes);
    this.#open = Uint8Array.from(bytes.subarray(end));
    return this.#text(bytes.subarray(0, end));
  }

  end(): string {
    return this.#text(asBuffer(this.#open));
  }

  #text(bytes: Buffer): string {
    const isWhole = isUtf8(bytes);
    this.#isUtf8 &&= isWhole;
    const text = isWhole ? bytes.toString('utf8') : decodeEscaped(bytes);
    if (text === '' || !this.#isFirst) return text;
    this.#isFirst = false;
    return text.startsWith('\uFEFF') ? text.slice(1) : text;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How many bytes at the end may be the beginning of a character. */
function openAtEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const size = sizeAt(bytes, bytes.length - back);
    if (size > 1) return size > back ? back : 0;
    if (size === 1) return 0;
  }
  return 0;
}

/** Bytes of the character that a lead byte announces; 0 for a byte that can only follow, or stands nowhere. */
function sizeAt(bytes: Uint8Array, index: number): number {
  const lead = bytes[index] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

function decodeEscaped(bytes: Buffer): string {
  const parts: string[] = [];
  let clean = 0;
  for (let index = 0; index < bytes.length;) {
    const size = characterAt(bytes, index);
    if (size > 0) {
      index += size;
      continue;
    }
    if (index > clean) parts.push(bytes.toString('utf8', clean, index));
    parts.push(String.fromCharCode(0xdc00 + (bytes[index] ?? 0)));
    index += 1;
    clean = index;
  }
  parts.push(bytes.toString('utf8', clean));
  return parts.join('');
}

/** Bytes of the well-formed character that begins here; 0 where there is none. */
function characterAt(bytes: Uint8Array, index: number): number {
  const size = sizeAt(bytes, index);
  if (size < 2) return size;
  const [lead = 0, second = 0] = [bytes[index], bytes[index + 1]];
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let offset = 2; offset < size; offset += 1) {
    if (((bytes[index + offset] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return size;
}

/** Names of files that are listed. */
const SHOWN_NAMES = 3;

/** A warning of files that are not UTF-8, named by the first of them; none where there are none. */
export function oddBytes(input: string, names: readonly string[], count = names.length): readonly string[] {
  if (count === 0) return [];
  const shown = names.slice(0, SHOWN_NAMES).join(', ');
  const more = count > SHOWN_NAMES ? ` and ${count - SHOWN_NAMES} more` : '';
  const [files, it, its] = count === 1 ? ['1 file', 'it', 'its'] : [`${count} files`, 'them', 'their'];
  return [
    `${files} of ${input} ${count === 1 ? 'is' : 'are'} not UTF-8: ${shown}${more}; ` +
      `convert ${it} with iconv -f latin1 -t utf8, or ${its} odd bytes are shown as they are`,
  ];
}

import { isUtf8 } from 'node:buffer';

/** Well-formed UTF-8 (RFC 3629), as Latin-1 shows its bytes, or one byte that is not. */
const WELL_FORMED =
  /[\0-\x7f]+|(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+|([\x80-\xff])/g;
/** What may be the beginning of a character whose rest has not arrived. */
const OPEN_END = /(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})$/;
const MAX_SAMPLE = 64 * 1024;

/**
 * UTF-8 as text, piece by piece, as Python reads it with `surrogateescape`: each byte that is not UTF-8 becomes half a
 * surrogate pair, `\udc80` to `\udcff`, so that none is lost.
 */
export class Utf8Reader {
  #open: Buffer = Buffer.alloc(0);
  #sample: Buffer | undefined;

  /** Some of the bytes around the first that are not UTF-8; undefined where there are none. */
  get oddSample(): Buffer | undefined {
    return this.#sample;
  }

  read(chunk: Uint8Array): string {
    const bytes = this.#open.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#open, chunk]);
    const open = OPEN_END.exec(bytes.toString('latin1', Math.max(0, bytes.length - 3)))?.[0].length ?? 0;
    // A copy: the chunk's memory may be used again.
    this.#open = Buffer.from(bytes.subarray(bytes.length - open));
    return this.#text(bytes.subarray(0, bytes.length - open));
  }

  end(): string {
    return this.#text(this.#open);
  }

  #text(bytes: Buffer): string {
    if (isUtf8(bytes)) return bytes.toString('utf8');
    this.#sample ??= sampleOf(bytes);
    return escapedText(bytes.toString('latin1'));
  }
}

/** @param binary - bytes of UTF-8 as Latin-1 shows them */
export function utf8Text(binary: string): string {
  if (!/[\x80-\xff]/.test(binary)) return binary;
  const bytes = Buffer.from(binary, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : escapedText(binary);
}

function escapedText(binary: string): string {
  return binary.replace(WELL_FORMED, (found, odd: string | undefined) =>
    odd === undefined ? Buffer.from(found, 'latin1').toString('utf8') : String.fromCharCode(0xdc00 + odd.charCodeAt(0)),
  );
}

function sampleOf(bytes: Buffer): Buffer {
  const first = Math.max(
    0,
    bytes.findIndex((byte) => byte >= 0x80),
  );
  const start = Math.max(0, first - MAX_SAMPLE / 2);
  return Buffer.from(bytes.subarray(start, start + MAX_SAMPLE));
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

import { createReadStream } from 'node:fs';
import iconv from 'iconv-lite';
import { documentKind, unreadable, type DocumentKind } from './documents/kinds.ts';
import { encodingOf, transcoded, utf16WithoutMark } from './encoding.ts';
import { fileFault, invalid } from './invalid.ts';
import { peek } from './peek.ts';
import type { ReadOptions } from './read-options.ts';
import { gunzipped, isGzip } from './unpacked.ts';

const CHUNK = 256 * 1024;
/** What identifies a file's format: its first line, mostly. */
const START = 1024 * 1024;

/** A file, or standard input. */
export interface Origin {
  /** As it was typed; for messages. */
  readonly label: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** With its dot, in small letters; '' where there is none. */
  readonly extension: string;
  /** Undefined where there is no such file, or it is packed. */
  readonly path?: string;
}

/** What was found in a file. It is read once. */
export type Content =
  | {
      readonly kind: 'document';
      readonly document: DocumentKind;
      readonly label: string;
      readonly path?: string;
      readonly bytes: AsyncIterable<Uint8Array>;
    }
  | {
      readonly kind: 'text';
      readonly label: string;
      readonly extension: string;
      /** The beginning of the text, or all of it. */
      readonly start: string;
      readonly isWhole: boolean;
      /** UTF-8 without a byte order mark. */
      readonly bytes: AsyncIterable<Uint8Array>;
      /** For who does not read it to its end. */
      readonly close: () => Promise<void>;
      /** How it was to be read, beside its form: `UTF-16LE`, `unpacked from gzip`. */
      readonly found: readonly string[];
      /** It has zero bytes where a text has none. */
      readonly looksBinary: boolean;
    };

export async function contentOf(origin: Origin, input: string, options: ReadOptions): Promise<Content> {
  const { label } = origin;
  let { bytes, extension, path } = origin;
  let begun = await peek(bytes, START);
  const found: string[] = [];
  if (isGzip(begun.start)) {
    begun = await peek(gunzipped(begun.bytes, label), START);
    extension = extension === '.tgz' ? '.tar' : (/(\.[^./]+)\.gz$/i.exec(label)?.[1]?.toLowerCase() ?? '');
    path = undefined;
    found.push('unpacked from gzip');
  }
  const { start, isWhole } = begun;
  const document = documentKind(start, extension);
  if (document !== undefined) {
    // Who reads it opens it by its path.
    if (path !== undefined) await begun.close();
    return { kind: 'document', document, label, bytes: begun.bytes, ...(path === undefined ? {} : { path }) };
  }
  const fault = unreadable(start, extension);
  if (fault !== undefined) {
    await begun.close();
    throw invalid(`${input}: ${label} cannot be read: ${fault}`);
  }
  const encoding = encodingOf(start, options.encoding, input);
  if (encoding.name !== 'UTF-8') found.push(encoding.name);
  bytes = transcoded(begun.bytes, encoding);
  const body = start.subarray(encoding.markLength);
  return {
    kind: 'text',
    label,
    extension,
    start: encoding.name === 'UTF-8' ? body.toString('utf8') : iconv.decode(body, encoding.name),
    isWhole,
    bytes,
    close: begun.close,
    found,
    looksBinary: encoding.name === 'UTF-8' && body.includes(0),
  };
}

/** What to do about a file that looks binary, and is to be a text. */
export function describeBinary(
  input: string,
  { label, start }: { readonly label: string; readonly start: string },
): string {
  const likely = utf16WithoutMark(Buffer.from(start, 'latin1'));
  if (likely === undefined) return `${input}: ${label} looks binary; it is given as the text of its bytes`;
  return `${input}: ${label} looks like ${likely} without a byte order mark; write '${input}=@${label};encoding=${likely}'`;
}

export function fileOrigin(path: string, label: string, extension: string): Origin {
  return { label, bytes: bytesOf(path, label), extension, path };
}

async function* bytesOf(path: string, label: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) yield chunk as Buffer;
  } catch (error) {
    throw fileFault(label, error);
  }
}

import { createReadStream } from 'node:fs';
import iconv from 'iconv-lite';
import { documentKind, unreadable, type DocumentKind } from './documents/kinds.ts';
import { encodingOf, keepsUtf8, transcoded, utf16WithoutMark } from './encoding.ts';
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
  /** What names it on the command line, `@rows.csv`, `-`, or `@folder` for a file in it; for advice. */
  readonly typed: string;
  /** Whether it is one of many, so that an encoding is named for those that are not UTF-8. */
  readonly isOneOfMany?: boolean;
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
      readonly typed: string;
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
      /** `UTF-16LE`, where it looks like that and no mark says so. */
      readonly likelyUtf16: string | undefined;
      /** Whether it is UTF-8 although another encoding is named for files of its kind. */
      readonly isUtf8Anyway: boolean;
    };

export async function contentOf(origin: Origin, input: string, options: ReadOptions): Promise<Content> {
  const { label, typed, isOneOfMany = false } = origin;
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
  const isUtf8Anyway = isOneOfMany && keepsUtf8(start, options.encoding);
  const encoding = encodingOf(start, isUtf8Anyway ? undefined : options.encoding, input);
  if (encoding.name !== 'UTF-8') found.push(encoding.name);
  bytes = transcoded(begun.bytes, encoding);
  const body = start.subarray(encoding.markLength);
  const looksBinary = encoding.name === 'UTF-8' && body.includes(0);
  return {
    kind: 'text',
    label,
    typed,
    extension,
    start: encoding.name === 'UTF-8' ? body.toString('utf8') : iconv.decode(body, encoding.name),
    isWhole,
    bytes,
    close: begun.close,
    found,
    looksBinary,
    likelyUtf16: looksBinary ? utf16WithoutMark(body) : undefined,
    isUtf8Anyway,
  };
}

/** What to do about a file that looks binary, and is to be a text. */
export function describeBinary(
  input: string,
  content: Pick<Extract<Content, { kind: 'text' }>, 'label' | 'typed' | 'likelyUtf16'>,
): string {
  const { label, likelyUtf16 } = content;
  return likelyUtf16 === undefined
    ? `${input}: ${label} looks binary; it is given as the text of its bytes`
    : describeUtf16(input, content);
}

function describeUtf16(
  input: string,
  { label, typed, likelyUtf16 }: Pick<Extract<Content, { kind: 'text' }>, 'label' | 'typed' | 'likelyUtf16'>,
): string {
  return `${input}: ${label} looks like ${likelyUtf16} without a byte order mark; write '${input}=${typed};encoding=${likelyUtf16}'`;
}

/**
 * What is read as rows or values must have its encoding right: in a text, a person sees what is odd.
 *
 * @throws TypedError `Input.Invalid`
 */
export function refuseUtf16(input: string, content: Extract<Content, { kind: 'text' }>): void {
  if (content.likelyUtf16 !== undefined) throw invalid(describeUtf16(input, content));
}

export function fileOrigin(path: string, label: string, extension: string): Origin {
  return { label, typed: `@${label}`, bytes: bytesOf(path, label), extension, path };
}

async function* bytesOf(path: string, label: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) yield chunk as Buffer;
  } catch (error) {
    throw fileFault(label, error);
  }
}

import { extname, join } from 'node:path';
import { TypedError } from '../domain/failures.ts';
import { documentKind, isArchive, unreadable } from './documents/kinds.ts';
import { documentText } from './documents/messages.ts';
import { DocumentFault, type DocumentReader } from './documents/document-reader.ts';
import { encodingOf, keepsUtf8, transcoded } from './encoding.ts';
import type { Reason } from './leave-out.ts';
import { peek } from './peek.ts';
import type { BegunFile } from './read-files.ts';
import type { ReadOptions } from './read-options.ts';
import { gunzipped, isGzip } from './unpacked.ts';
import { Utf8Reader } from './utf8-reader.ts';

const START = 64 * 1024;

/** A file of a folder as a text, or why it is none. */
export type FolderText =
  | {
      readonly kind: 'text';
      readonly pieces: AsyncIterable<string>;
      readonly oddSample: () => Buffer | undefined;
      readonly isUtf8Anyway?: boolean;
    }
  | { readonly kind: 'none'; readonly reason: Reason }
  | { readonly kind: 'fault'; readonly why: string };

export async function folderText(
  folder: string,
  { name, start, rest }: BegunFile,
  input: string,
  options: ReadOptions,
  reader: DocumentReader,
): Promise<FolderText> {
  const all = async function* (): AsyncGenerator<Uint8Array> {
    yield start;
    yield* rest;
  };
  try {
    if (!isGzip(start))
      return await textOf({ start, bytes: all(), name, path: join(folder, name) }, input, options, reader);
    const begun = await peek(gunzipped(all(), name), START);
    return await textOf(
      { start: begun.start, bytes: begun.bytes, name: name.replace(/\.gz$/i, '') },
      input,
      options,
      reader,
    );
  } catch (error) {
    if (!(error instanceof TypedError) || error.type !== 'Input.Invalid') throw error;
    // The folder's reader names input and file itself.
    return { kind: 'fault', why: error.cause instanceof DocumentFault ? error.cause.message : error.message };
  }
}

interface Begun {
  readonly start: Buffer;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly name: string;
  readonly path?: string;
}

async function textOf(
  { start, bytes, name, path }: Begun,
  input: string,
  options: ReadOptions,
  reader: DocumentReader,
): Promise<FolderText> {
  if (start.length === 0) return { kind: 'none', reason: 'empty' };
  const extension = extname(name).toLowerCase();
  const document = documentKind(start, extension);
  if (document !== undefined) {
    const content = { document, label: name, bytes, ...(path === undefined ? {} : { path }) };
    const pieces: string[] = [];
    for await (const piece of documentText(content, input, { ...options, reader })) pieces.push(piece);
    if (pieces.every((piece) => piece.trim() === '')) return { kind: 'none', reason: 'empty' };
    return { kind: 'text', pieces: each(pieces), oddSample: () => undefined };
  }
  const isUtf8Anyway = keepsUtf8(start, options.encoding);
  const encoding = encodingOf(start, isUtf8Anyway ? undefined : options.encoding, input);
  if (encoding.name === 'UTF-8' && start.includes(0)) {
    const fault = extension === '' ? undefined : unreadable(start, extension);
    return fault === undefined || isArchive(start, extension)
      ? { kind: 'none', reason: 'binary' }
      : { kind: 'fault', why: fault };
  }
  const utf8 = new Utf8Reader();
  return {
    kind: 'text',
    pieces: decoded(transcoded(bytes, encoding), utf8),
    oddSample: () => utf8.oddSample,
    isUtf8Anyway,
  };
}

async function* decoded(bytes: AsyncIterable<Uint8Array>, reader: Utf8Reader): AsyncGenerator<string> {
  for await (const chunk of bytes) yield reader.read(chunk);
  yield reader.end();
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalid } from '../invalid.ts';
import { csvLine } from '../csv.ts';
import { DocumentFault, DocumentReader } from './document-reader.ts';
import type { DocumentKind, DocumentMessage } from './kinds.ts';

export interface DocumentContent {
  readonly document: DocumentKind;
  readonly label: string;
  /** Undefined where its bytes are in no file. */
  readonly path?: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface DocumentOptions {
  readonly sheet?: string;
  readonly allSheets?: boolean;
  /** Default: one that ends with this document. */
  readonly reader?: DocumentReader;
  /** Takes what was lost of it, a line each. */
  readonly onNotes?: (notes: readonly string[]) => void;
}

/**
 * What is in a document.
 *
 * @throws TypedError `Input.Invalid` with a sentence that says why it cannot be read
 */
export async function* documentMessages(
  content: DocumentContent,
  input: string,
  { sheet, allSheets = false, reader }: DocumentOptions,
): AsyncGenerator<DocumentMessage> {
  const own = reader ?? new DocumentReader();
  const folder = content.path === undefined ? await mkdtemp(join(tmpdir(), 'rlm-document-')) : undefined;
  try {
    const path = content.path ?? (await spooled(content.bytes, join(folder ?? '', 'document')));
    const { document: kind } = content;
    let hasText = kind !== 'pdf';
    for await (const message of own.read({ path, kind, allSheets, ...(sheet === undefined ? {} : { sheet }) })) {
      hasText ||= message.kind === 'text' && message.text.trim() !== '';
      yield message;
    }
    if (!hasText) throw new DocumentFault('it holds no text, only images (a scan?); recognise its text first (OCR)');
  } catch (error) {
    if (error instanceof DocumentFault)
      throw invalid(`${input}: ${content.label} cannot be read: ${error.message}`, error);
    throw error;
  } finally {
    if (reader === undefined) own.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function spooled(bytes: AsyncIterable<Uint8Array>, path: string): Promise<string> {
  await pipeline(Readable.from(bytes, { objectMode: false }), createWriteStream(path, { mode: 0o600 }));
  return path;
}

/** Its whole text: pages and paragraphs with an empty line between them; tables as CSV, of several sheets under their names. */
export async function* documentText(
  content: DocumentContent,
  input: string,
  options: DocumentOptions,
): AsyncGenerator<string> {
  let separator = '';
  for await (const message of documentMessages(content, input, { ...options, allSheets: true })) {
    if (message.kind === 'rows') yield message.rows.map(csvLine).join('');
    else if (message.kind === 'sheet') yield `${separator}[${message.name}]\n`;
    else if (message.kind === 'text') yield `${separator}${message.text}`;
    else {
      if (message.kind === 'end') options.onNotes?.(message.notes ?? []);
      continue;
    }
    separator = message.kind === 'text' ? '\n\n' : '\n';
  }
}

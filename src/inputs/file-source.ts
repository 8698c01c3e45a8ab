import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Field, FieldType } from '../domain/signature/field-type.ts';
import { renderType } from '../domain/signature/render.ts';
import { summarizeValue } from '../domain/summarize-value.ts';
import { accepts } from './check-part.ts';
import { checked, type Check } from './checking.ts';
import { checkCsv } from './csv-check.ts';
import { fileFault, invalid } from './invalid.ts';
import { checkJson, checkJsonLines } from './json-check.ts';
import { givenSource } from './given-value.ts';
import { itemTypeOf } from './json-source.ts';
import type { Source } from './source.ts';
import { TextTally } from './text-tally.ts';
import { oddBytes, Utf8Reader } from './utf8-reader.ts';

const CHUNK = 256 * 1024;
/** Of a file that holds a number or the like. */
const LONGEST_SCALAR = 1024 * 1024;
const COMPRESSED = /\.(?:gz|tgz|bz2|xz|zst|zip|7z)$/i;

type Bytes = AsyncIterable<Uint8Array>;

/**
 * A file by its name's ending and the field's type.
 *
 * @param label - the path as it was typed
 */
export async function fileSource(path: string, field: Field, label: string): Promise<Source> {
  if (COMPRESSED.test(path))
    throw invalid(`${field.name}: ${label} is compressed; unpack it first (gunzip, unzip) and name what is in it`);
  const extension = extname(path).toLowerCase();
  const bytes = bytesOf(path, label);
  if (wantsText(field.type)) return textSource(bytes, field, label);
  if (extension === '.json') return checkedSource('json', bytes, checkJson(field, label));
  if (extension === '.jsonl' || extension === '.ndjson')
    return checkedSource('jsonl', bytes, checkJsonLines(field, label));
  if (extension === '.csv') return checkedSource('csv', bytes, checkCsv(field, label));
  if (isScalar(field.type)) return givenSource(field, await shortText(bytes, label), label);
  if (accepts(field.type, 'text')) return textSource(bytes, field, label);
  throw noText(field, label);
}

/** The same for standard input, which has no name: lists are JSON or JSON Lines, by their first character. */
export async function streamSource(stream: Bytes, field: Field): Promise<Source> {
  const label = 'standard input';
  if (wantsText(field.type) || field.type.kind === 'any') return textSource(stream, field, label);
  if (isScalar(field.type)) return givenSource(field, await shortText(stream, label), label);
  const { first, bytes } = await begun(stream);
  const isLines = first !== '[' && itemTypeOf(field.type) !== undefined && !accepts(field.type, {});
  return isLines
    ? checkedSource('jsonl', bytes, checkJsonLines(field, label))
    : checkedSource('json', bytes, checkJson(field, label));
}

function checkedSource(format: 'json' | 'jsonl' | 'csv', bytes: Bytes, check: Check): Source {
  return {
    format,
    bytes: checked(bytes, check),
    summary: () => check.summary(),
    warnings: () => check.warnings?.() ?? [],
  };
}

function textSource(bytes: Bytes, { name, type }: Field, label: string): Source {
  const tally = new TextTally();
  const reader = new Utf8Reader();
  let isBinary = false;
  async function* measured(): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      isBinary ||= chunk.includes(0);
      tally.take(reader.read(chunk));
      yield chunk;
    }
    tally.take(reader.end());
  }
  return {
    format: 'text',
    bytes: measured(),
    summary: () => summarizeValue(tally.glimpse(), type),
    warnings() {
      if (isBinary) return [`${name}: ${label} looks binary; it is given as the text of its bytes`];
      return oddBytes(name, reader.isUtf8 ? [] : [label]);
    },
  };
}

async function* bytesOf(path: string, label: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) yield chunk as Buffer;
  } catch (error) {
    throw fileFault(label, error);
  }
}

/** Whether any file is taken as the text it is. */
function wantsText(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.every((member) => member.kind === 'none' || wantsText(member));
  return type.kind === 'str';
}

function isScalar(type: FieldType): boolean {
  if (type.kind === 'union') return type.members.every((member) => member.kind === 'str' || isScalar(member));
  return ['int', 'float', 'bool', 'none', 'literal'].includes(type.kind);
}

async function shortText(bytes: Bytes, label: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    parts.push(chunk);
    size += chunk.length;
    if (size > LONGEST_SCALAR) throw invalid(`${label} is longer than 1 MiB, and one short value is wanted`);
  }
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .replace(/\r?\n$/, '');
}

/** The first character that is no blank, and all the bytes. */
async function begun(stream: Bytes): Promise<{ first: string; bytes: Bytes }> {
  const chunks = stream[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let first = '';
  while (first === '') {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const next = await chunks.next();
    if (next.done === true) break;
    taken.push(next.value);
    first =
      Buffer.from(next.value)
        .toString('latin1')
        .replace(/^\xEF\xBB\xBF/, '')
        .trimStart()[0] ?? '';
  }
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield* taken.splice(0);
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { first, bytes: bytes() };
}

function noText({ name, type }: Field, label: string): Error {
  const wanted = `${name}: ${label} is a text, and the signature wants ${renderType(type)}`;
  if (!accepts(type, ['text'])) return invalid(`${wanted}: name a .json file, or make the field a str`);
  return invalid(
    `${wanted}: name a folder or a pattern (each file is an item), a .jsonl file (each line is an item) ` +
      'or a .json file with the list, or make the field a str',
  );
}

/** What a path is: undefined where there is nothing. */
export async function kindOf(path: string, label: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileFault(label, error);
  }
}

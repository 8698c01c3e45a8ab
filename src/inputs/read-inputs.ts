import type { StoredInput } from '../domain/inputs.ts';
import type { Field, Signature } from '../domain/signature/field-type.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { streamSource } from './file-source.ts';
import { givenSource } from './given-value.ts';
import { checkNames, invalid, wanted } from './invalid.ts';
import { pathSource } from './path-source.ts';
import { store, type Source } from './source.ts';

export interface InputsRead {
  /** In the signature's order. */
  readonly inputs: StoredInput[];
  /** What was left out, a line each. */
  readonly warnings: string[];
}

/**
 * Keeps the inputs of an analysis, given on the command line, each as `name=value`:
 *
 *     question=why?            a str as it is, anything else as JSON
 *     documents=@folder        also @file, @pattern
 *     text=-                   standard input, also @-
 *     handle=@@someone         the value @someone
 *
 * Files are read once and in pieces: memory stays small however large they are. Names, values and paths are checked
 * before anything is read.
 *
 * @param options.cwd - paths are relative to it
 * @throws TypedError `Input.Invalid`
 */
export async function readInputs(
  blobs: Pick<BlobStore, 'putStream'>,
  signature: Pick<Signature, 'inputs'>,
  given: readonly string[],
  options: { readonly cwd: string; readonly stdin: AsyncIterable<Uint8Array> },
): Promise<InputsRead> {
  const fields = signature.inputs;
  const pairs = given.map((text) => splitPair(text, fields));
  checkNames(
    fields,
    pairs.map(([name]) => name),
  );
  const fromStandardInput = pairs.filter(([, text]) => isStandardInput(text)).map(([name]) => name);
  if (fromStandardInput.length > 1) {
    throw invalid(`standard input can be read once, and is named for ${fromStandardInput.join(' and ')}; use files`);
  }
  const texts = new Map(pairs);
  const sources: (readonly [Field, Source])[] = [];
  for (const field of fields) {
    // oxlint-disable-next-line no-await-in-loop -- the first fault is told
    sources.push([field, await sourceOf(texts.get(field.name) ?? '', field, options)]);
  }
  return storeSources(blobs, sources);
}

export async function storeSources(
  blobs: Pick<BlobStore, 'putStream'>,
  sources: readonly (readonly [Field, Source])[],
): Promise<InputsRead> {
  const inputs: StoredInput[] = [];
  const warnings: string[] = [];
  for (const [field, source] of sources) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: each may be large
    inputs.push(await store(blobs, field, source));
    warnings.push(...(source.warnings?.() ?? []));
  }
  return { inputs, warnings };
}

function splitPair(text: string, fields: readonly Field[]): [name: string, value: string] {
  const mark = text.indexOf('=');
  if (mark > 0) return [text.slice(0, mark).trim(), text.slice(mark + 1)];
  const name = fields.find((field) => field.name === text)?.name ?? fields[0]?.name ?? 'name';
  throw invalid(
    `"${text.slice(0, 80)}" is no input: write ${name}=value, ${name}=@file or ${name}=- for standard input\n${wanted(fields)}`,
  );
}

function isStandardInput(text: string): boolean {
  return text === '-' || text === '@-';
}

async function sourceOf(
  text: string,
  field: Field,
  { cwd, stdin }: { readonly cwd: string; readonly stdin: AsyncIterable<Uint8Array> },
): Promise<Source> {
  if (isStandardInput(text)) return streamSource(stdin, field);
  if (text.startsWith('@@')) return givenSource(field, text.slice(1));
  return text.startsWith('@') ? pathSource(text.slice(1), field, cwd) : givenSource(field, text);
}

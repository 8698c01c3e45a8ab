import type { StoredInput } from '../domain/inputs.ts';
import type { Field, Signature } from '../domain/signature/field-type.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { isPattern } from './find-files.ts';
import { kindOf, streamSource } from './file-source.ts';
import { givenSource } from './given-value.ts';
import { checkNames, invalid, wanted } from './invalid.ts';
import { absolute, typedPathSource } from './path-source.ts';
import { splitOptions } from './read-options.ts';
import { store, type Source } from './source.ts';

export interface InputsRead {
  /** In the signature's order. */
  readonly inputs: StoredInput[];
  /** What was found in files, left out, or looks wrong, a line each. */
  readonly warnings: string[];
}

/**
 * Keeps the inputs of an analysis, given on the command line, each as `name=value`:
 *
 *     question=why?            a str as it is, anything else as JSON
 *     documents=@folder        also @file, @pattern
 *     rows=@rows.csv;encoding=windows-1252      also ;delimiter=, ;sheet=
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
    // oxlint-disable-next-line no-await-in-loop -- the first fault is reported
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
    warnings.push(...(source.notes?.() ?? []));
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
  return /^@?-(?:;|$)/.test(text);
}

async function sourceOf(
  text: string,
  field: Field,
  { cwd, stdin }: { readonly cwd: string; readonly stdin: AsyncIterable<Uint8Array> },
): Promise<Source> {
  if (isStandardInput(text)) return streamSource(stdin, field, splitOptions(text).options);
  if (text.startsWith('@@')) return givenSource(field, text.slice(1));
  if (text.startsWith('@')) return typedPathSource(text.slice(1), field, cwd);
  const isPath = await looksLikePath(text, cwd);
  const meant = `${field.name}=@${text}`;
  const source = givenSource(
    field,
    text,
    isPath ? { advice: `; did you mean '${meant}', with an @ before the path?` } : {},
  );
  if (!isPath || source.format !== 'text') return source;
  return {
    ...source,
    notes: () => [`${field.name} is the text ${text} itself; for what is in the file write '${meant}'`],
  };
}

/** What would be a path, or a pattern, if an @ stood before it. */
async function looksLikePath(text: string, cwd: string): Promise<boolean> {
  if (text.length > 1000 || !/^[^\n[{"]*[/.*][^\n]*$/.test(text) || /^-?[\d.]+$/.test(text)) return false;
  if (/^(?:~|\.{0,2})\/\S*$/.test(text)) return true;
  return (
    (isPattern(text) && !/\s/.test(text)) ||
    (await kindOf(absolute(text, cwd), text).catch(() => undefined)) !== undefined
  );
}

import { readFile, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { parse } from 'yaml';
import { errorMessage } from '../../domain/error-message.ts';
import { isRecord } from '../../domain/is-record.ts';
import { parseJson } from '../../domain/ordered-json.ts';
import { readSignature } from '../../domain/signature/read-signature.ts';
import { readInputs } from '../../inputs/index.ts';
import type { BlobStore } from '../../storage/blob-store.ts';
import { plural } from '../live/format.ts';
import { CommandError } from '../report-error.ts';

/** An item as it stands in its file. */
export type FileItem = Readonly<Record<string, unknown>>;

const AS_ROWS = readSignature('items: list[dict] -> n: int');

/** The items of a file. CSV, JSON and JSON Lines are read as inputs of analyses are: any delimiter and encoding. */
export async function readItems(
  blobs: BlobStore,
  file: string,
  { cwd }: { readonly cwd: string },
): Promise<readonly FileItem[]> {
  await checkFile(resolve(cwd, file), file);
  const isYaml = ['.yaml', '.yml'].includes(extname(file).toLowerCase());
  const items = isYaml ? await readYamlItems(resolve(cwd, file), file) : await readRows(blobs, file, cwd);
  if (!Array.isArray(items)) throw new CommandError(`${file} must hold a list of items.`);
  if (items.length === 0) throw new CommandError(`There are no items in ${file}.`);
  return items.map((item: unknown, index) => {
    if (isRecord(item)) return item;
    if (typeof item === 'string') return { item };
    throw new CommandError(`Item ${index + 1} of ${file} must be an object or a text.`);
  });
}

async function checkFile(path: string, file: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    // As an input a file may have options behind its name: then it is looked for without them.
    if (file.includes(';')) return undefined;
    throw new CommandError(
      isRecord(error) && error['code'] === 'ENOENT'
        ? `There is no file ${file} with items: it was looked for at ${path}.`
        : `The items cannot be read from ${file}: ${errorMessage(error)}`,
    );
  });
  if (found?.isDirectory() === true) throw new CommandError(`${file} is a folder: the items must be in a file.`);
}

/** A line for ids that several items have: an id only names an item, so each of them runs. */
export function sharedIds(items: readonly FileItem[]): string[] {
  const ids = items.map(({ id }) => id).filter((id) => typeof id === 'string' || typeof id === 'number');
  const shared = [...Map.groupBy(ids.map(String), (id) => id)].filter(([id, all]) => id !== '' && all.length > 1);
  const [first] = shared;
  if (first === undefined) return [];
  const others = shared.length === 1 ? '' : `, and ${plural(shared.length - 1, 'other id')} stand more than once`;
  return [`${first[1].length} items have the id "${first[0]}"${others}: all of them run.`];
}

async function readYamlItems(path: string, file: string): Promise<unknown> {
  const content = await readFile(path, 'utf8');
  try {
    const value: unknown = parse(content);
    return isRecord(value) && Array.isArray(value['items']) ? value['items'] : value;
  } catch (error) {
    throw new CommandError(`${file} is not YAML: ${errorMessage(error)}`);
  }
}

async function readRows(blobs: BlobStore, file: string, cwd: string): Promise<unknown> {
  const stdin = (async function* nothing(): AsyncGenerator<Uint8Array> {})();
  const { inputs } = await readInputs(blobs, AS_ROWS, [`items=@${file}`], { cwd, stdin });
  const [stored] = inputs;
  const text = Buffer.from(await blobs.get(stored?.ref ?? '')).toString('utf8');
  // A list from a file is kept with an item a line.
  if (stored?.format === 'json') return parseJson(text);
  return text.split('\n').flatMap((line) => (line === '' ? [] : [parseJson(line)]));
}

/** A text with the fields of an item in the place of `{{name}}`. @throws CommandError that names what there is */
export function fillTemplate(template: string, item: FileItem, index: number): string {
  return template.replaceAll(/\{\{\s*([^{}]+?)\s*\}\}/g, (_, name: string) => {
    if (!Object.hasOwn(item, name)) {
      const fields = Object.keys(item).join(', ');
      throw new CommandError(`Item ${index + 1} has no field "${name}" for {{${name}}}: it has ${fields}.`);
    }
    const value = item[name];
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

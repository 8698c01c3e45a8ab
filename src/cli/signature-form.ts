import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { errorMessage } from '../domain/error-message.ts';
import { readTextFile } from '../files/read-text-file.ts';
import { absolute } from '../inputs/path-source.ts';
import { CommandError } from './report-error.ts';

export interface SignatureOptions {
  readonly signature: string;
  /** `field=text`, each. */
  readonly describe?: readonly string[];
}

/** As `readSignature` takes it, with the descriptions of fields beside it. `@file` is read. */
export async function signatureForm(cwd: string, { signature, describe = [] }: SignatureOptions): Promise<unknown> {
  if (!signature.includes('->') && (await isFile(cwd, signature)))
    throw new CommandError(`There is no "->" in the signature ${signature}: to read the file, write -s @${signature}.`);
  const form = signature.startsWith('@') ? await signatureFile(cwd, signature.slice(1)) : signature;
  if (describe.length === 0) return form;
  const descriptions = Object.fromEntries(describe.map(describedField));
  if (typeof form === 'string') return { signature: form, descriptions };
  if (typeof form !== 'object' || form === null) return form;
  const { descriptions: before } = form as { readonly descriptions?: unknown };
  return { ...form, descriptions: { ...(typeof before === 'object' ? before : {}), ...descriptions } };
}

async function isFile(cwd: string, file: string): Promise<boolean> {
  return stat(resolve(cwd, file)).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function signatureFile(cwd: string, file: string): Promise<unknown> {
  const path = resolve(cwd, file);
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new CommandError(`There is no file ${file} for the signature (it was looked for at ${path}).`);
    throw new CommandError(`The signature cannot be read from ${file}: ${errorMessage(error)}`);
  });
  try {
    return parse(content) as unknown;
  } catch (error) {
    throw new CommandError(`${file} is neither YAML nor JSON: ${errorMessage(error)}`);
  }
}

function describedField(given: string): readonly [string, string] {
  const at = given.indexOf('=');
  if (at < 1)
    throw new CommandError(
      `--describe takes a field and what it holds, such as --describe "answer=In one sentence", not "${given}".`,
    );
  return [given.slice(0, at).trim(), given.slice(at + 1).trim()];
}

/**
 * What `--instructions` says: text, or `@file`. Text that begins with `@` is written with `@@`, as values of inputs are.
 *
 * @throws CommandError where the file cannot be read, or has nothing in it
 */
export async function readInstructions<Given extends string | undefined>(
  cwd: string,
  given: Given,
): Promise<Given | string> {
  if (given?.startsWith('@') !== true) return given;
  if (given.startsWith('@@')) return given.slice(1);
  const file = given.slice(1);
  const path = absolute(file, cwd);
  const content = await readTextFile(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new CommandError(
        `There is no file ${file} with instructions (it was looked for at ${path}; text that begins with @ is written with @@).`,
      );
    throw new CommandError(`The instructions cannot be read from ${file}: ${errorMessage(error)}.`);
  });
  if (content.trim() === '') throw new CommandError(`The file ${file} with instructions is empty.`);
  return content;
}

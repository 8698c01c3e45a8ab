import { TypedError } from '../domain/failures.ts';
import { nearestName } from '../domain/nearest-name.ts';
import type { Field } from '../domain/signature/field-type.ts';
import { renderFields } from '../domain/signature/render.ts';

export function invalid(message: string, cause?: unknown): TypedError {
  return new TypedError('Input.Invalid', message, { cause });
}

/** Says of names what is missing, unknown or there twice, with what the signature wants. */
export function checkNames(fields: readonly Field[], given: readonly string[]): void {
  const names = fields.map(({ name }) => name);
  const unknown = given.filter((name) => !names.includes(name));
  const missing = names.filter((name) => !given.includes(name));
  const twice = given.filter((name, index) => given.indexOf(name) !== index);
  const problems = [
    ...unknown.map((name) => `there is no input ${name}${meant(name, missing.length > 0 ? missing : names)}`),
    ...twice.map((name) => `the input ${name} is given twice; leave one of them out`),
    ...missing.map((name) => `the input ${name} is missing`),
  ];
  if (problems.length > 0) throw invalid(`${[...new Set(problems)].join('\n')}\n${wanted(fields)}`);
}

export function wanted(fields: readonly Field[]): string {
  return fields.length === 0 ? 'The signature has no inputs.' : `The signature's inputs: ${renderFields(fields)}`;
}

function meant(name: string, names: readonly string[]): string {
  const nearest = nearestName(name, names);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

/** A file or folder that cannot be read. */
export function fileFault(path: string, error: unknown): TypedError {
  if (error instanceof TypedError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist (any more)',
    EACCES: 'this user may not read it; change its permissions',
    EPERM: 'this user may not read it; change its permissions',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is a file',
    ELOOP: 'its links lead in a circle',
    EMFILE: 'too many files are open; raise the limit (ulimit -n)',
  };
  return invalid(`cannot read ${path}: ${known[code] ?? message}`, error);
}

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TypedError } from '../domain/failures.ts';
import { makePrivateFolder } from '../files/private-folder.ts';

export { findPython } from './kernel-python.ts';

const run = promisify(execFile);

/** Isolated from the environment and the current folder. */
const ISOLATED = '-I';

/**
 * The kernel for one interpreter as a single precompiled file, to be run as `<python> [-P] -s <file> serve ...`.
 * Its name holds the Python version and a hash of its content; it is built once and put in place at once, so
 * several may ask at the same time.
 *
 * @param options.python the interpreter that is to run it.
 * @param options.cacheDirectory where it is kept; made where it does not exist.
 * @throws TypedError `Sandbox.Unavailable`.
 */
export async function buildKernelArchive(options: { python: string; cacheDirectory: string }): Promise<string> {
  makePrivateFolder(options.cacheDirectory);
  try {
    const { stdout } = await run(
      options.python,
      [ISOLATED, join(kernelSource(), 'bundle.py'), options.cacheDirectory],
      {
        env: {},
        timeout: 60_000,
      },
    );
    return stdout.trimEnd();
  } catch (error) {
    throw new TypedError(
      'Sandbox.Unavailable',
      `The kernel cannot be built with ${options.python}: ${reasonOf(error)}. Check that the interpreter works and ` +
        `that ${options.cacheDirectory} is writable, or name another interpreter in sandbox.python.`,
      { cause: error },
    );
  }
}

/** Folder of the kernel's sources: next to `src` in a clone, next to `dist` in the package. */
export function kernelSource(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'python', 'rlm_kernel');
    if (existsSync(join(candidate, 'bundle.py'))) return candidate;
  }
  throw new TypedError(
    'Sandbox.Unavailable',
    'The folder python/rlm_kernel of this package is missing; install durable-rlm again.',
  );
}

function reasonOf(error: unknown): string {
  const complaint = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return complaint === '' ? String(error) : (complaint.split('\n').at(-1) ?? '');
}

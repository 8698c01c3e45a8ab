import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { TypedError } from '../../domain/failures.ts';
import { buildKernelArchive, findPython } from '../kernel-archive.ts';

/** What every sandbox is sent. */
export interface Parts {
  /** The program that makes a sandbox of a machine: `python/rlm_remote/prepare.py`. */
  readonly program: Buffer;
  /** JSON, compressed: the kernel's sources, and what this host's Python made of them, should the other's be the same. */
  readonly archive: Buffer;
}

/** Read once for a provider. */
export async function readParts(cacheDirectory: string): Promise<Parts> {
  const python = pythonFolder();
  const kernel = join(python, 'rlm_kernel');
  const names = (await readdir(kernel)).filter((name) => name.endsWith('.py'));
  const sources = await Promise.all(names.map(async (name) => [name, await readFile(join(kernel, name), 'utf8')]));
  const [program, checkout, compiled] = await Promise.all([
    readFile(join(python, 'rlm_remote', 'prepare.py')),
    readFile(join(python, 'rlm_launcher', 'checkout.py'), 'utf8'),
    compiledHere(cacheDirectory),
  ]);
  const parts = { sources: Object.fromEntries(sources) as Record<string, string>, checkout, compiled };
  return { program, archive: await promisify(gzip)(JSON.stringify(parts)) };
}

/** By name, in base64; nothing where this host has no Python. */
async function compiledHere(cacheDirectory: string): Promise<Record<string, string>> {
  try {
    const { path } = await findPython();
    const archive = await buildKernelArchive({ python: path, cacheDirectory });
    return { [basename(archive)]: await readFile(archive, 'base64') };
  } catch {
    return {}; // Then every sandbox compiles it, which takes a tenth of a second.
  }
}

/** Next to `src` in a clone, next to `dist` in the package. */
function pythonFolder(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'python');
    if (existsSync(join(candidate, 'rlm_remote', 'prepare.py'))) return candidate;
  }
  throw new TypedError(
    'Sandbox.Unavailable',
    'The folder python/rlm_remote of this package is missing; install durable-rlm again.',
  );
}

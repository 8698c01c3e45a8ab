import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { buildKernelArchive } from '../kernel-archive.ts';
import { markUsed } from '../host/last-use.ts';
import { findPython } from '../kernel-python.ts';
import type { Interpreter } from './launch-spec.ts';

const run = promisify(execFile);

/** An interpreter with the kernel that was compiled for it. */
export interface KernelInterpreter extends Interpreter {
  /** Path of the kernel's archive on the host. */
  readonly archive: string;
  readonly archiveName: string;
  /** Without the current folder and the user's own packages on its path. */
  readonly flags: readonly string[];
}

/** Each interpreter is examined once. */
export class Interpreters {
  readonly #cacheDirectory: string;
  readonly #found = new Map<string, Promise<KernelInterpreter>>();

  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
  }

  /** @throws TypedError `Sandbox.Unavailable` when there is none that will do. */
  find(preferred: string | undefined): Promise<KernelInterpreter> {
    const key = preferred ?? '';
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const examined = this.#examine(preferred);
    this.#found.set(key, examined);
    examined.catch(() => this.#found.delete(key));
    return examined;
  }

  async #examine(preferred: string | undefined): Promise<KernelInterpreter> {
    const { path } = await findPython(preferred === undefined ? {} : { preferred });
    const [archive, prefixes] = await Promise.all([
      buildKernelArchive({ python: path, cacheDirectory: this.#cacheDirectory }),
      run(path, ['-I', '-c', 'import sys; print(sys.prefix); print(sys.base_prefix)'], { timeout: 20_000 }),
    ]);
    await markUsed(archive);
    return {
      path,
      prefixes: prefixes.stdout.trim().split('\n'),
      archive,
      archiveName: basename(archive),
      flags: kernelFlags(basename(archive)),
    };
  }
}

/** By the version in the name of the archive. */
export function kernelFlags(archiveName: string): readonly string[] {
  const minor = Number(/^kernel-3\.(\d+)\./.exec(archiveName)?.[1]);
  return minor >= 11 ? ['-P', '-s'] : ['-s'];
}

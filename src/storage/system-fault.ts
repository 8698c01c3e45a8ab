import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** An error of the operating system: what it says, and where. */
export interface SystemFault {
  readonly code: string;
  readonly path: string | undefined;
}

/** Node's recursive `mkdir` says ENOENT of a file system that is read-only: this is what is meant. */
export function systemFault({ code = '', syscall, path }: NodeJS.ErrnoException): SystemFault {
  if (code !== 'ENOENT' || syscall !== 'mkdir' || path === undefined) return { code, path };
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
    return { code, path };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? code, path };
  }
}

import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { TemporalSetupError } from './errors.ts';

/**
 * An interpreter for the few lines that need the kernel's file locks, which Node does not offer.
 * The system's own comes first: one from a version switcher takes ten times as long to start.
 */
export function findPython(path: string = process.env['PATH'] ?? ''): string {
  // A relative one would be looked for in the current folder.
  const folders = ['/usr/bin', ...path.split(delimiter).filter((folder) => isAbsolute(folder))];
  const found = folders.map((folder) => join(folder, 'python3')).find(isExecutable);
  if (found === undefined) {
    throw new TemporalSetupError(
      'Python 3.9 or newer was not found. Install it (Debian, Ubuntu: sudo apt-get install python3) and try again.',
    );
  }
  return found;
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

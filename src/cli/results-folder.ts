import { lstatSync } from 'node:fs';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { CommandError } from './report-error.ts';

/**
 * Where results files go. A symbolic link in the current folder may have come with it and lead anywhere.
 *
 * @throws CommandError for a relative path that goes through one
 */
export function resultsFolder(cwd: string, results: string): string {
  const folder = resolve(cwd, results);
  if (isAbsolute(results)) return folder;
  const segments = results.split(sep).filter((segment) => segment !== '' && segment !== '.');
  for (const [index] of segments.entries()) {
    const part = join(cwd, ...segments.slice(0, index + 1));
    if (lstatSync(part, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      throw new CommandError(
        `Results are not written through ${part}, which is a symbolic link: name the folder itself with --results, as an absolute path.`,
      );
  }
  return folder;
}

import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { linkOnTheWay, reasonOf } from './output-file.ts';
import { CommandError } from './report-error.ts';

/**
 * Where results files go. A symbolic link in the current folder may have come with it and lead anywhere.
 *
 * @throws CommandError for a relative path that goes through one
 */
export function resultsFolder(cwd: string, results: string): string {
  const folder = resolve(cwd, results);
  const link = linkOnTheWay(cwd, results);
  if (link !== undefined)
    throw new CommandError(
      `Results are not written through ${link}, which is a symbolic link: name the folder itself with --results, as an absolute path.`,
    );
  return folder;
}

/**
 * The same, and sure that files can be written there; nothing is left of the try.
 *
 * @throws CommandError
 */
export function writableResultsFolder(cwd: string, results: string): string {
  const folder = resultsFolder(cwd, results);
  let existing = folder;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    rmdirSync(mkdtempSync(join(existing, '.rlm-')));
  } catch (error) {
    throw new CommandError(
      `Results cannot be written to ${folder} (${reasonOf(error)}): name another folder with --results.`,
      undefined,
      { cause: error },
    );
  }
  return folder;
}

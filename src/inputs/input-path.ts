import type { ReadOptions } from './read-options.ts';

/** A file, folder or pattern in place of a value: what `@path` is on the command line. */
export class InputPath {
  readonly path: string;
  readonly options: ReadOptions;
  constructor(path: string, options: ReadOptions = {}) {
    [this.path, this.options] = [path, options];
  }
}

/**
 * A file as an input: by what it begins with, its name's ending and the type of its field JSON, JSON Lines, a table (CSV,
 * XLSX, Parquet) or text (PDF and DOCX too).
 *
 * @param path - relative to the folder of this process
 * @param options - its encoding and the like, where the file does not say
 */
export function file(path: string, options?: ReadOptions): InputPath {
  return new InputPath(path, options);
}

/**
 * The texts of all files in a folder, or of those that a pattern names (`docs/*.md`), in natural order: a
 * `list[str]`, a `dict[str, str]` by path, or a list of `{path, text}`. Of tables alone (`*.csv`) their rows, where the
 * field is a list of other dicts.
 *
 * @param path - relative to the folder of this process
 */
export function folder(path: string, options?: ReadOptions): InputPath {
  return new InputPath(path, options);
}

/** A file, folder or pattern in place of a value: what `@path` is on the command line. */
export class InputPath {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/**
 * A file as an input: by its name's ending and the type of its field JSON, JSON Lines, CSV or text.
 *
 * @param path - relative to the folder of this process
 */
export function file(path: string): InputPath {
  return new InputPath(path);
}

/**
 * The texts of all files in a folder, or of those that a pattern names (`docs/*.md`), in natural order: a
 * `list[str]`, a `dict[str, str]` by path, or a list of `{path, text}`.
 *
 * @param path - relative to the folder of this process
 */
export function folder(path: string): InputPath {
  return new InputPath(path);
}

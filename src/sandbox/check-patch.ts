import { setImmediate } from 'node:timers/promises';
import { isMisleading } from './misleading-path.ts';

const NEWLINE = 0x0a;
/** Lines after which others get their turn. */
const LINES_AT_ONCE = 100_000;
const WRITABLE_MODE = /^(100644|100755|120000)$/;
const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;
const HEADER = /^(old mode|new mode|deleted file mode|new file mode|index) (.*)$/;
const OBJECTS = /^[0-9a-f]{40}\.\.[0-9a-f]{40}(?: (\d{6}))?$/;
const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 };

/**
 * Whether a patch from a sandbox is what `git diff-index -p --binary --full-index --no-renames` writes and all of its
 * paths stay in the tree. Read to the last line: of what is not understood nobody can say what another program makes of it.
 *
 * @returns what is wrong with it; undefined where nothing is.
 */
export async function findForgery(patch: Uint8Array): Promise<string | undefined> {
  const lines = new Lines(Buffer.from(patch.buffer, patch.byteOffset, patch.byteLength));
  const written = new Set<string>();
  try {
    while (!lines.isAtEnd) {
      const { name, exists } = await readFile(lines);
      if (!exists) continue;
      if (written.has(name)) throw new Forgery(`it writes ${shown(name)} twice`);
      written.add(name);
    }
  } catch (error) {
    if (error instanceof Forgery) return error.message;
    throw error;
  }
  for (const name of written) {
    for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
      const above = name.slice(0, end);
      if (written.has(above)) return `it writes ${shown(name)} beyond ${shown(above)}, which is no folder`;
    }
  }
  return undefined;
}

class Forgery extends Error {}

/** The lines of a patch, one after the other, as Latin-1 text: one character a byte. */
class Lines {
  readonly #bytes: Buffer;
  #at = 0;
  #count = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  startsWith(text: string): boolean {
    return this.#bytes.subarray(this.#at, this.#at + text.length).equals(Buffer.from(text, 'latin1'));
  }

  next(): string {
    const end = this.#end();
    const line = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return line;
  }

  /** The first character of the line; undefined for an empty line. */
  async skip(): Promise<string | undefined> {
    this.#count += 1;
    if (this.#count % LINES_AT_ONCE === 0) await setImmediate();
    const end = this.#end();
    const first = end === this.#at ? undefined : String.fromCharCode(this.#bytes[this.#at] ?? 0);
    this.#at = end + 1;
    return first;
  }

  #end(): number {
    const end = this.#bytes.indexOf(NEWLINE, this.#at);
    if (end < 0) throw new Forgery('it ends in the middle of a line');
    return end;
  }
}

/** One file's part. */
async function readFile(lines: Lines): Promise<{ readonly name: string; readonly exists: boolean }> {
  const { token, name } = readNames(lines.next());
  if (isMisleading(Buffer.from(name, 'latin1'))) {
    throw new Forgery(`${shown(name)} is a path that leads out of the repository, or into .git`);
  }
  let [exists, isNew] = [true, false];
  for (let header = readHeader(lines); header !== undefined; header = readHeader(lines)) {
    const { field, mode } = header;
    if (field === 'deleted file mode') exists = false;
    else if (field === 'new file mode') isNew = true;
    if (exists && field !== 'old mode' && mode !== undefined && !WRITABLE_MODE.test(mode)) {
      throw new Forgery(`it gives ${shown(name)} the mode ${shown(mode)}`);
    }
  }
  if (lines.startsWith('GIT binary patch\n')) await skipBinary(lines);
  else if (lines.startsWith('--- ')) {
    expectName(lines.next(), `--- ${isNew ? '/dev/null' : token('a')}`);
    expectName(lines.next(), `+++ ${exists ? token('b') : '/dev/null'}`);
    if (!lines.startsWith('@@ ')) throw new Forgery(`it changes nothing of ${shown(name)}`);
    while (lines.startsWith('@@ ')) await skipHunk(lines);
  }
  if (!lines.isAtEnd && !lines.startsWith('diff --git ')) throw notUnderstood(lines.next());
  return { name, exists };
}

/** Both names are the same: nothing is renamed. Quoted as C strings where they have unusual bytes. */
function readNames(line: string): { readonly name: string; readonly token: (side: 'a' | 'b') => string } {
  const quoted = /^diff --git ("a\/(?:[^"\\]|\\.)*") ("b\/.*")$/s.exec(line);
  const raw = quoted?.[1]?.slice(3, -1) ?? line.slice('diff --git a/'.length, (line.length + 'diff --git'.length) / 2);
  const token = (side: 'a' | 'b'): string => (quoted === null ? `${side}/${raw}` : `"${side}/${raw}"`);
  if (line !== `diff --git ${token('a')} ${token('b')}`) throw notUnderstood(line);
  return { name: quoted === null ? raw : unquote(raw), token };
}

function unquote(text: string): string {
  return text.replace(/\\(?:([0-3][0-7]{2})|(.))/gs, (whole, octal?: string, letter?: string) => {
    const code = octal === undefined ? ESCAPES[letter ?? ''] : Number.parseInt(octal, 8);
    if (code === undefined) throw notUnderstood(whole);
    return String.fromCharCode(code);
  });
}

function readHeader(lines: Lines): { readonly field: string; readonly mode: string | undefined } | undefined {
  if (!['old ', 'new ', 'deleted ', 'index '].some((start) => lines.startsWith(start))) return undefined;
  const line = lines.next();
  const [, field = '', value = ''] = HEADER.exec(line) ?? [];
  const objects = OBJECTS.exec(value);
  if (field === 'index' ? objects === null : !/^\d{6}$/.test(value)) throw notUnderstood(line);
  return { field, mode: field === 'index' ? objects?.[1] : value };
}

/** A tab follows a name with a space. */
function expectName(line: string, expected: string): void {
  if (line !== expected && line !== `${expected}\t`) throw notUnderstood(line);
}

async function skipHunk(lines: Lines): Promise<void> {
  const line = lines.next();
  const counts = HUNK.exec(line);
  if (counts === null) throw notUnderstood(line);
  let [before, after] = [Number(counts[1] ?? 1), Number(counts[2] ?? 1)];
  while (before > 0 || after > 0) {
    const first = await lines.skip();
    if (first === ' ' || first === '-') before -= 1;
    if (first === ' ' || first === '+') after -= 1;
    if (before < 0 || after < 0 || first === undefined || !' -+\\'.includes(first)) throw notUnderstood(line);
  }
  if (lines.startsWith('\\')) await lines.skip();
}

/** Forth and back, each ended by an empty line. */
async function skipBinary(lines: Lines): Promise<void> {
  lines.next();
  for (const _ of ['forth', 'back']) {
    const line = lines.next();
    if (!/^(literal|delta) \d+$/.test(line)) throw notUnderstood(line);
    for (let first = await lines.skip(); first !== undefined; first = await lines.skip()) {
      if (!/[A-Za-z]/.test(first)) throw notUnderstood(line);
    }
  }
}

function notUnderstood(line: string): Forgery {
  return new Forgery(`git does not write this line: ${shown(line)}`);
}

function shown(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString('utf8').slice(0, 200));
}

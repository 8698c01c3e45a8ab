import { chmod, lstat, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TypedError } from '../domain/failures.ts';

/**
 * Hashes that the user of this process trusts: files in a folder that no other user can write. A mark says no
 * more than that its hash was added; what was hashed is computed again by who asks.
 */
export interface PrivateMarks {
  /** @throws TypedError `Input.Invalid` where the folder belongs to somebody else */
  add(hash: string, note: string): Promise<void>;
  /** False also where somebody else could have written the mark. */
  has(hash: string): Promise<boolean>;
  /** All there are. */
  list(): Promise<readonly Mark[]>;
  remove(hash: string): Promise<void>;
}

export interface Mark {
  readonly hash: string;
  /** What was noted with it. */
  readonly note: string;
  /** Milliseconds since the epoch. */
  readonly added: number;
}

const WRITABLE_BY_OTHERS = 0o022;

export function createPrivateMarks(folder: string): PrivateMarks {
  return {
    async add(hash, note) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (!(await isOwn(folder))) {
        // Of an earlier time, or made under another umask; somebody else's cannot be changed.
        await chmod(folder, 0o700).catch(() => undefined);
        if (!(await isOwn(folder)))
          throw new TypedError(
            'Input.Invalid',
            `The folder ${folder} belongs to another user, or others can write to it, so nothing in it can be relied ` +
              'on. Remove it, or name another state folder with DURABLE_RLM_STATE.',
          );
      }
      // That it is there is the mark; the note is for a person.
      await writeFile(join(folder, checked(hash)), `${note}\n`, { mode: 0o600 });
    },
    async has(hash) {
      const file = join(folder, checked(hash));
      return (await isOwn(folder)) && (await isOwn(file));
    },
    async list() {
      const names = (await readdir(folder).catch(() => [])).filter((name) => HASH.test(name));
      const marks = await Promise.all(names.map((name) => readMark(folder, name).catch(() => undefined)));
      return marks.filter((mark) => mark !== undefined);
    },
    remove: (hash) => rm(join(folder, checked(hash)), { force: true }),
  };
}

async function readMark(folder: string, hash: string): Promise<Mark> {
  const file = join(folder, hash);
  const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
  return { hash, note: text.trimEnd(), added: mtimeMs };
}

/** A path made of anything else could lead out of the folder. */
const HASH = /^[A-Za-z0-9_-]{43,64}$/;

function checked(hash: string): string {
  if (!HASH.test(hash)) throw new TypedError('Input.Invalid', `Not a hash: ${hash.slice(0, 80)}`);
  return hash;
}

async function isOwn(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return (
    found !== undefined &&
    !found.isSymbolicLink() &&
    found.uid === process.geteuid?.() &&
    (found.mode & WRITABLE_BY_OTHERS) === 0
  );
}

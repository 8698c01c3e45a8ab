import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { access, constants, realpath, stat } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { TypedError } from '../domain/failures.ts';

const run = promisify(execFile);

const OLDEST = [3, 9] as const;
const NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.9', 'python'];
const SYSTEM_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/bin', '/bin'];
const EVERYONE_MAY_ENTER = 0o001;

export interface PythonInterpreter {
  readonly path: string;
  /** `3.11.7`. */
  readonly version: string;
}

/**
 * An interpreter for the kernel: Python 3.9 or newer; where this process is root, whose sandboxes belong to another
 * user, one that every user can read. The system's own come before those on PATH, which may lie in somebody's private
 * home or be the shims of a version switcher.
 *
 * @param options.preferred the only candidate, where somebody named one: a path, a virtual environment's folder, or a name on PATH.
 * @throws TypedError `Sandbox.Unavailable` that says what was found and what to do.
 */
export async function findPython(options: { preferred?: string } = {}): Promise<PythonInterpreter> {
  const refused: string[] = [];
  for (const candidate of candidates(options.preferred)) {
    // oxlint-disable-next-line no-await-in-loop -- the first that will do is wanted, not all
    const found = await examine(candidate);
    if (typeof found === 'object') return found;
    if (found !== undefined) refused.push(`${candidate} ${found}`);
  }
  const what =
    options.preferred === undefined
      ? 'No suitable Python was found.'
      : `The Python named in sandbox.python, ${options.preferred}, cannot be used.`;
  throw new TypedError(
    'Sandbox.Unavailable',
    [
      what,
      ...refused.slice(0, 5).map((reason) => `${reason}.`),
      'Sandboxes need Python 3.9 or newer that every user can read: install it (Debian, Ubuntu: ' +
        'sudo apt-get install python3), or name one in sandbox.python.',
    ].join(' '),
  );
}

function candidates(preferred: string | undefined): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  const folders = [...new Set([...SYSTEM_FOLDERS, ...path])];
  if (preferred === undefined) return NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  if (preferred.includes('/')) return [isFolder(preferred) ? join(preferred, 'bin', 'python') : preferred];
  return path.map((folder) => join(folder, preferred));
}

/** A virtual environment, rather than the interpreter in it. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The interpreter, why it will not do, or undefined where there is none. */
async function examine(candidate: string): Promise<PythonInterpreter | string | undefined> {
  try {
    await access(candidate, constants.X_OK);
  } catch {
    return undefined;
  }
  let answer: string;
  try {
    const question =
      'import sys, os; print("%d.%d.%d" % sys.version_info[:3]); print(os.path.realpath(sys.executable)); print(os.path.dirname(os.__file__))';
    ({ stdout: answer } = await run(candidate, ['-I', '-c', question], { timeout: 20_000 }));
  } catch {
    return 'does not run';
  }
  const [version = '', executable = '', library = ''] = answer.trim().split('\n');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major !== OLDEST[0] || minor < OLDEST[1]) return `is version ${version}`;
  const isRoot = process.getuid?.() === 0;
  const closed = isRoot ? ((await closedFolder(executable)) ?? (await closedFolder(library))) : undefined;
  if (closed !== undefined) {
    // The interpreter of a virtual environment is most often a link.
    const where = executable === candidate ? 'lies' : `is ${executable}, which lies`;
    return `${where} in a private folder (${closed}), which the user of a sandbox cannot read`;
  }
  return { path: candidate, version };
}

/** The folder above a path that not everyone may enter. */
async function closedFolder(path: string): Promise<string | undefined> {
  let folder = dirname(await realpath(path));
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- upwards, until one is closed
    if (((await stat(folder)).mode & EVERYONE_MAY_ENTER) === 0) return folder;
    if (folder === dirname(folder)) return undefined;
    folder = dirname(folder);
  }
}

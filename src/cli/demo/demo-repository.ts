import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { findPython } from '../../sandbox/kernel-python.ts';
import { runGit, type GitOptions } from '../../sandbox/repository/git.ts';
import { CommandError } from '../report-error.ts';

/** Raised when the selection below changes: repositories made before are then made anew. */
const SELECTION = 1;

/** Folders without source that a reader would learn from: tests, tables, data, what others installed. */
const LEFT_OUT = new Set([
  '__phello__',
  '__pycache__',
  'dist-packages',
  'encodings',
  'ensurepip',
  'idle_test',
  'idlelib',
  'lib-dynload',
  'lib2to3',
  'pydoc_data',
  'site-packages',
  'test',
  'tests',
  'turtledemo',
]);

/**
 * Where the library is in the repository, as in Python's own: at the top, where agents work, its modules would take
 * the place of those that the agents' code imports.
 */
const FOLDER = 'Lib';

/** Written for this installation, not part of the library's source. */
const OF_THE_INSTALLATION = /^(_sysconfig(data)?_.*|sitecustomize|usercustomize)\.py$/;

/** The same at every making, so that the commit is the same as well. */
const IDENTITY = {
  GIT_AUTHOR_NAME: 'The demo',
  GIT_AUTHOR_EMAIL: 'demo@localhost',
  GIT_AUTHOR_DATE: '2025-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'The demo',
  GIT_COMMITTER_EMAIL: 'demo@localhost',
  GIT_COMMITTER_DATE: '2025-01-01T00:00:00Z',
} as const;

export interface DemoRepository {
  readonly path: string;
  /** Python's, such as `3.11.2`. */
  readonly version: string;
}

/**
 * A git repository that every machine has: the source of the local Python's standard library. Made once, in the
 * cache directory; the same sources give the same commit.
 *
 * @param onMaking called when it has to be made
 * @throws CommandError when this Python comes without its source
 */
export async function demoRepository(cacheDirectory: string, onMaking: () => void): Promise<DemoRepository> {
  const { version, library } = await standardLibrary();
  const path = join(cacheDirectory, 'demo', `v${SELECTION}`, `python-${version}-library`);
  if (await isFolder(path)) return { path, version };
  onMaking();
  makePrivateFolder(dirname(path));
  const staging = await mkdtemp(`${path}.making-`);
  try {
    const copied = await copySources(library, join(staging, FOLDER));
    if (copied === 0) {
      throw new CommandError(
        `Python ${version} comes without the source of its library (${library}): name a repository with --repo.`,
      );
    }
    await commitAll(staging, `The standard library of Python ${version}, without tests and tables`);
    // Another demo may have been faster; then its repository is as good.
    await rename(staging, path).catch(async (error: unknown) => {
      if (!(await isFolder(path))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return { path, version };
}

/** Of the interpreter that the sandboxes use, so that it can parse what it finds. */
async function standardLibrary(): Promise<{ version: string; library: string }> {
  const { path, version } = await findPython();
  const question = 'import sysconfig; print(sysconfig.get_path("stdlib"))';
  const { stdout } = await promisify(execFile)(path, ['-I', '-c', question], { timeout: 20_000 });
  return { version, library: stdout.trimEnd() };
}

/** @returns the number of files */
async function copySources(from: string, to: string): Promise<number> {
  const entries = await readdir(from, { withFileTypes: true });
  const files = entries.filter(
    (entry) => entry.isFile() && entry.name.endsWith('.py') && !OF_THE_INSTALLATION.test(entry.name),
  );
  const folders = entries.filter((entry) => entry.isDirectory() && !LEFT_OUT.has(entry.name));
  if (files.length > 0) await mkdir(to, { recursive: true });
  await Promise.all(files.map(({ name }) => copySource(join(from, name), join(to, name))));
  const below = await Promise.all(folders.map(({ name }) => copySources(join(from, name), join(to, name))));
  return below.reduce((sum, count) => sum + count, files.length);
}

async function copySource(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o644);
}

async function commitAll(folder: string, message: string): Promise<void> {
  const options: GitOptions = {
    gitDirectory: join(folder, '.git'),
    workTree: folder,
    environment: IDENTITY,
    config: [['init.defaultBranch', 'main']],
  };
  const commands = [
    ['init', '-q', '--template='],
    ['add', '--all', '--force'],
    ['commit', '-q', '-m', message],
  ];
  for (const command of commands) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { code, stderr } = await runGit(command, options);
    if (code !== 0) throw new CommandError(`git ${command[0]} failed in ${folder}: ${stderr.trim()}`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

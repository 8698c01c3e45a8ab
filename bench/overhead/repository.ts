import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../../src/config/directories.ts';

/** Makes scikit-learn's sources a git repository; not part of the project. */
const MAKE = fileURLToPath(new URL('../../../shared/tools/make-scikit-learn-repo.sh', import.meta.url));
const MAKE_TIME = 300_000;

export interface BenchRepository {
  readonly path: string;
  readonly title: string;
  /** Entries of its folder, `.git` included. */
  readonly entries: number;
  /** Why it is not scikit-learn. */
  readonly reason: string | undefined;
}

/** scikit-learn (882 files, 17 MB), kept in the cache directory; else a small repository in `folder`, with the reason. */
export function benchRepository(folder: string): BenchRepository {
  const path = join(cacheDirectory(process.env), 'bench', 'scikit-learn');
  const reason = makeScikitLearn(path);
  if (reason === undefined) return { path, title: 'scikit-learn (882 files, 17 MB)', ...entriesOf(path), reason };
  const small = makeSmall(join(folder, 'repository'));
  return { path: small, title: 'a repository of 50 small files', ...entriesOf(small), reason };
}

function entriesOf(path: string): { entries: number } {
  return { entries: readdirSync(path).length };
}

function makeScikitLearn(path: string): string | undefined {
  if (existsSync(join(path, '.git'))) return undefined;
  if (!existsSync(MAKE)) return 'scikit-learn, because the script that makes its repository is not here';
  mkdirSync(dirname(path), { recursive: true });
  try {
    execFileSync('bash', [MAKE, path], { stdio: ['ignore', 'ignore', 'pipe'], timeout: MAKE_TIME });
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message.trim() : String(error);
    return `scikit-learn, which could not be made: ${message.split('\n').at(-1)}`;
  }
}

function makeSmall(path: string): string {
  mkdirSync(path, { recursive: true });
  for (let index = 0; index < 50; index++)
    writeFileSync(join(path, `module_${index}.py`), `VALUE = ${index}  # TODO\n`);
  const who = ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost'];
  const git = (...command: string[]): void => {
    execFileSync('git', ['-C', path, ...who, ...command], { stdio: 'ignore' });
  };
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'all');
  return path;
}

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTemporaryFolder } from '../../files/temporary-folder.ts';
import { Readable } from 'node:stream';
import { TypedError } from '../../domain/failures.ts';
import { runGit, spawnGit } from './git.ts';
import { lfsWarning } from './lfs-pointers.ts';
import { uncommittedChanges, withLocalRepository, type LocalRepository } from './local-repository.ts';

export interface RepositoryBundle {
  /** A `git bundle` of the commit and its whole history. An error while it is made ends the stream with that error. */
  readonly stream: Readable;
  /** What a person should know, one sentence each: uncommitted changes that are left out, content that Git LFS has. */
  readonly warnings: readonly string[];
}

const BUNDLE_TIMEOUT_MS = 20 * 60_000;

/**
 * Packs a commit of a local repository, with its history, so that a worker anywhere can have it.
 *
 * It is made from a repository of our own that borrows the objects: nothing of the other's configuration has a say,
 * and nothing is written there.
 *
 * @param request.commit all 40 digits.
 * @throws TypedError `Repository.NotFound`, `Input.Invalid`.
 */
export async function bundleRepository(
  request: { readonly path: string; readonly commit: string },
  signal?: AbortSignal,
): Promise<RepositoryBundle> {
  const { path, commit } = request;
  return withLocalRepository(
    path,
    async (repository) => {
      const warnings = [
        ...(await uncommittedChanges(repository, signal)),
        ...(await lfsWarning(repository, signal)),
        ...shallowWarning(repository),
      ];
      const options = { gitDirectory: repository.view, signal };
      const there = await runGit(['cat-file', '-e', `${commit}^{commit}`], options);
      if (there.code !== 0) throw new TypedError('Repository.NotFound', `${repository.top} has no commit ${commit}.`);
      return { stream: Readable.from(bundleChunks(repository, commit, signal), { objectMode: false }), warnings };
    },
    signal,
  );
}

/** A bundle of one commit of a bare repository of ours, without what came before it. */
export function bundleCommit(
  {
    gitDirectory,
    objects,
    commit,
  }: { readonly gitDirectory: string; readonly objects: string; readonly commit: string },
  signal?: AbortSignal,
): Readable {
  const repository = { top: gitDirectory, objects, shallow: [commit] };
  return Readable.from(bundleChunks(repository, commit, signal), { objectMode: false });
}

/** Whose objects a bundle borrows. */
type Borrowed = Pick<LocalRepository, 'top' | 'objects' | 'shallow'>;

function shallowWarning(repository: Borrowed): string[] {
  if (repository.shallow.length === 0) return [];
  return [`${repository.top} is a shallow clone: agents see its history only as far as it goes.`];
}

async function borrowObjects(
  scratch: string,
  repository: Borrowed,
  commit: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const made = await runGit(['init', '--quiet', '--bare', '--template=', '--object-format=sha1'], {
    gitDirectory: scratch,
    signal,
  });
  if (made.code !== 0) throw new TypedError('Repository.Unavailable', `git could not make a bundle: ${made.stderr}`);
  await mkdir(join(scratch, 'objects', 'info'), { recursive: true });
  await writeFile(join(scratch, 'objects', 'info', 'alternates'), `${quoteAlternate(repository.objects)}\n`);
  if (repository.shallow.length > 0) await writeFile(join(scratch, 'shallow'), `${repository.shallow.join('\n')}\n`);
  const set = await runGit(['update-ref', 'refs/heads/run', commit], { gitDirectory: scratch, signal });
  if (set.code !== 0) {
    throw new TypedError('Repository.NotFound', `${repository.top} has no commit ${commit}.`);
  }
  // Where a shallow history ends travels as references; those of other branches are not reachable and not needed.
  const reachable = new Set(await reachableCommits(scratch, repository.shallow, signal));
  for (const [place, end] of repository.shallow.entries()) {
    if (!reachable.has(end)) continue;
    await runGit(['update-ref', `refs/shallow/${place}`, end], { gitDirectory: scratch, signal });
  }
}

async function reachableCommits(
  scratch: string,
  shallow: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (shallow.length === 0) return [];
  const roots = await runGit(['rev-list', '--max-parents=0', 'refs/heads/run'], { gitDirectory: scratch, signal });
  return roots.stdout.split('\n');
}

/** A path with a newline or a leading quote or hash is written as a C string. */
function quoteAlternate(path: string): string {
  return /["\\\n]|^#/.test(path) ? JSON.stringify(path) : path;
}

/** Nothing is created until the stream is read, so an unread stream leaves nothing behind. */
async function* bundleChunks(repository: Borrowed, commit: string, signal: AbortSignal | undefined): AsyncGenerator {
  const scratch = makeTemporaryFolder('bundle');
  try {
    await borrowObjects(scratch, repository, commit, signal);
    const running = spawnGit(['bundle', 'create', '--quiet', '-', '--all'], {
      gitDirectory: scratch,
      signal,
      timeoutMs: BUNDLE_TIMEOUT_MS,
    });
    const errors: Buffer[] = [];
    running.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    for await (const chunk of running.stdout) yield chunk;
    const { code, reason } = await running.ended;
    if (code !== 0) {
      const why = reason ?? Buffer.concat(errors).toString('utf8').trim();
      throw new TypedError('Repository.Unavailable', `The repository could not be packed: ${why}`);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

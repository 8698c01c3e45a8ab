import { TypedError } from '../../domain/failures.ts';
import type { RepositorySource } from '../provider.ts';
import { closeNames } from './close-names.ts';
import { runGit } from './git.ts';
import { withLocalRepository, type LocalRepository } from './local-repository.ts';
import { fetchFailure } from './remote-failures.ts';
import { urlOptions, type RepositoryCache } from './repository-cache.ts';
import { refusePassword } from './repository-name.ts';

export interface ResolveRequest {
  /** A URL, or a folder of this machine. */
  readonly repository:
    | { readonly kind: 'url'; readonly url: string; readonly token?: string; readonly anonymous?: true }
    | { readonly kind: 'path'; readonly path: string };
  /** Branch or tag; default: what HEAD is. */
  readonly branch?: string;
  /** Stronger than `branch`; at least 7 digits. */
  readonly commit?: string;
}

export interface ResolvedCommit {
  /** 40 digits. */
  readonly commit: string;
  /** Absent for a detached HEAD or a commit given by name alone. */
  readonly branch?: string;
}

const LIST_TIMEOUT_MS = 60_000;

/**
 * Which commit a run works on.
 *
 * @throws TypedError `Repository.NotFound` (no such repository, branch or commit; close names are listed),
 *   `Repository.Unavailable`, `Input.Invalid`.
 */
export async function resolveCommit(
  cache: RepositoryCache,
  request: ResolveRequest,
  signal?: AbortSignal,
): Promise<ResolvedCommit> {
  if (request.commit !== undefined && !/^[0-9a-f]{7,40}$/i.test(request.commit)) {
    throw new TypedError('Input.Invalid', `"${request.commit}" is not a commit: give 7 to 40 hexadecimal digits.`);
  }
  const { repository } = request;
  if (repository.kind === 'path') return resolveLocally(repository.path, request, signal);
  if (URL.canParse(repository.url)) refusePassword(new URL(repository.url));
  return resolveRemotely(cache, { ...repository, kind: 'url' }, request, signal);
}

async function resolveRemotely(
  cache: RepositoryCache,
  source: RepositorySource & { kind: 'url' },
  request: ResolveRequest,
  signal: AbortSignal | undefined,
): Promise<ResolvedCommit> {
  if (request.commit !== undefined) {
    const digits = request.commit.toLowerCase();
    const commit = digits.length === 40 ? digits : await cache.resolveAbbreviated(source, digits, signal);
    await cache.fetch(source, commit, signal);
    return request.branch === undefined ? { commit } : { commit, branch: request.branch };
  }
  const listed = await runGit(['ls-remote', '--symref', '--', source.url, 'HEAD', 'refs/heads/*', 'refs/tags/*'], {
    ...(await urlOptions(undefined, source, signal)),
    timeoutMs: LIST_TIMEOUT_MS,
  });
  if (listed.code !== 0) throw fetchFailure(source, listed);
  const references = readListing(listed.stdout);
  if ([...references.commits.values()].some((commit) => commit.length === 64)) {
    throw new TypedError('Input.Invalid', `${source.url} names its commits by SHA-256, which is not supported yet.`);
  }
  if (references.commits.size === 0) throw empty(source.url);
  if (request.branch !== undefined) return pickBranch(source.url, request.branch, references.commits);
  const commit = references.commits.get('HEAD');
  if (commit === undefined) {
    throw new TypedError(
      'Repository.NotFound',
      `${source.url} has no default branch: name one with -b. ${namesSentence('', branchNames(references.commits))}`.trim(),
    );
  }
  return references.head === undefined ? { commit } : { commit, branch: references.head };
}

interface Listing {
  readonly commits: ReadonlyMap<string, string>;
  /** The branch HEAD points at. */
  readonly head: string | undefined;
}

function readListing(text: string): Listing {
  const commits = new Map<string, string>();
  let head: string | undefined;
  for (const line of text.split('\n')) {
    const [first = '', name = ''] = line.split('\t');
    if (first.startsWith('ref: ')) head = first.slice('ref: '.length).replace(/^refs\/heads\//, '');
    else if (name !== '') commits.set(name, first);
  }
  return { commits, head };
}

function pickBranch(where: string, branch: string, references: ReadonlyMap<string, string>): ResolvedCommit {
  const wanted = branch.replace(/^refs\/(heads|tags)\//, '');
  const commit =
    references.get(`refs/heads/${wanted}`) ??
    // A tag's own object, then the commit it names.
    references.get(`refs/tags/${wanted}^{}`) ??
    references.get(`refs/tags/${wanted}`);
  if (commit !== undefined) return { commit, branch: wanted };
  throw new TypedError(
    'Repository.NotFound',
    `${where} has no branch "${wanted}". ${namesSentence(wanted, branchNames(references))}`.trim(),
  );
}

function branchNames(references: ReadonlyMap<string, string>): string[] {
  return [...references.keys()].flatMap((name) => (name.startsWith('refs/heads/') ? [name.slice(11)] : []));
}

function namesSentence(wanted: string, names: readonly string[]): string {
  const close = closeNames(wanted, names);
  if (close.length > 0) return `Close to it: ${close.join(', ')}.`;
  if (names.length === 0) return '';
  const shown = names.slice(0, 5).join(', ');
  return `It has: ${shown}${names.length > 5 ? `, and ${names.length - 5} more` : ''}.`;
}

function empty(where: string): TypedError {
  return new TypedError('Repository.NotFound', `${where} has no commits yet: commit something first.`);
}

async function resolveLocally(
  path: string,
  request: ResolveRequest,
  signal: AbortSignal | undefined,
): Promise<ResolvedCommit> {
  return withLocalRepository(path, (repository) => resolveIn(repository, request, signal), signal);
}

async function resolveIn(
  repository: LocalRepository,
  request: ResolveRequest,
  signal: AbortSignal | undefined,
): Promise<ResolvedCommit> {
  const git = (...arguments_: string[]): ReturnType<typeof runGit> =>
    runGit(arguments_, { gitDirectory: repository.view, signal });
  if (request.commit !== undefined) {
    const found = await git('rev-parse', '--verify', '--quiet', `${request.commit}^{commit}`);
    if (found.code !== 0) {
      throw new TypedError(
        'Repository.NotFound',
        `${repository.top} has no commit ${request.commit} (git log shows what it has).`,
      );
    }
    const commit = found.stdout.trim();
    return request.branch === undefined ? { commit } : { commit, branch: request.branch };
  }
  if (request.branch !== undefined) return localBranch(repository, request.branch, git);
  const head = await git('rev-parse', '--verify', '--quiet', 'HEAD^{commit}');
  if (head.code !== 0) throw empty(repository.top);
  const branch = await git('symbolic-ref', '--quiet', '--short', 'HEAD');
  const commit = head.stdout.trim();
  return branch.code === 0 ? { commit, branch: branch.stdout.trim() } : { commit };
}

async function localBranch(
  repository: LocalRepository,
  branch: string,
  git: (...arguments_: string[]) => ReturnType<typeof runGit>,
): Promise<ResolvedCommit> {
  const format = '%(refname)%09%(objectname)%09%(*objectname)';
  const listed = await git('for-each-ref', `--format=${format}`, 'refs/heads', 'refs/tags', 'refs/remotes/origin');
  const references = new Map<string, string>();
  for (const line of listed.stdout.split('\n')) {
    const [name = '', object = '', peeled = ''] = line.split('\t');
    if (name !== '') references.set(name, peeled === '' ? object : peeled);
  }
  const wanted = branch.replace(/^refs\/(heads|tags)\//, '');
  // A branch that was fetched but never checked out.
  const remote = references.get(`refs/remotes/origin/${wanted.replace(/^origin\//, '')}`);
  if (remote !== undefined && !references.has(`refs/heads/${wanted}`) && !references.has(`refs/tags/${wanted}`)) {
    return { commit: remote, branch: wanted };
  }
  if (references.size === 0) throw empty(repository.top);
  return pickBranch(repository.top, wanted, references);
}

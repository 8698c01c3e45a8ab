/**
 * What a worker does with git on its host, for tests that run it as another user: `use-git.ts CACHE REPOSITORY` resolves
 * a repository in the current folder's surroundings, fetches it, and prints `{commit, files}`, or `{error}`.
 */
import { execFileSync } from 'node:child_process';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';
import { RepositoryCache } from '../../src/sandbox/repository/repository-cache.ts';
import { parseRepositoryName } from '../../src/sandbox/repository/repository-name.ts';
import { resolveCommit } from '../../src/sandbox/repository/resolve-commit.ts';

const [, , cacheDirectory = '', repository = ''] = process.argv;
const cache = new RepositoryCache(cacheDirectory);
const name = parseRepositoryName(repository);
try {
  const { commit } = await resolveCommit(cache, { repository: name });
  const open = async () => (await bundleRepository({ path: repository, commit })).stream;
  const source = name.kind === 'url' ? name : { kind: 'bundle' as const, id: commit, open };
  const { gitDirectory } = await cache.fetch(source, commit);
  const listed = execFileSync('git', ['ls-tree', '-r', '--name-only', commit], {
    env: { PATH: process.env['PATH'], GIT_DIR: gitDirectory, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
    encoding: 'utf8',
  });
  console.log(JSON.stringify({ commit, files: listed.trim().split('\n') }));
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
}

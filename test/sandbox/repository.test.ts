import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { locateRepository } from '../../src/repository-reference.ts';
import type { RepositorySource } from '../../src/sandbox/provider.ts';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';
import { RepositoryCache } from '../../src/sandbox/repository/repository-cache.ts';
import { parseRepositoryName } from '../../src/sandbox/repository/repository-name.ts';
import { resolveCommit, type ResolveRequest } from '../../src/sandbox/repository/resolve-commit.ts';
import { git, makeRepository, temporaryFolder, writeTree } from './fixtures.ts';
import { startGitServer, type GitServer } from './git-server.ts';

const folder = temporaryFolder();
let count = 0;
const fresh = (kind: string): string => {
  count += 1;
  return join(folder.path, `${kind}-${count}`);
};
afterAll(() => folder.remove());

const commitFile = (path: string, name: string): string => {
  writeTree(path, { [name]: `${name}\n` });
  git(path, ['add', '--all']);
  git(path, ['commit', '--quiet', '--message', name]);
  return git(path, ['rev-parse', 'HEAD']).toString().trim();
};

describe('the name of a repository', () => {
  it.each([
    ['.', { kind: 'path', path: '/here' }],
    ['../there', { kind: 'path', path: '/there' }],
    ['/else/where', { kind: 'path', path: '/else/where' }],
    ['file:///else/where', { kind: 'path', path: '/else/where' }],
    ['https://host/a/b.git', { kind: 'url', url: 'https://host/a/b.git' }],
    ['ssh://git@host/a', { kind: 'url', url: 'ssh://git@host/a' }],
    ['git@host:a/b.git', { kind: 'url', url: 'git@host:a/b.git' }],
  ])('%s is understood', (name, meaning) => {
    expect(parseRepositoryName(name, '/here')).toEqual(meaning);
  });

  it.each(['', '--upload-pack=x', 'ext::sh -c x', 'ftp://host/x', 'javascript://x', 'fd::3'])(
    '%j is refused',
    (name) => {
      expect(() => parseRepositoryName(name, '/here')).toThrow(expect.objectContaining({ type: 'Input.Invalid' }));
    },
  );

  it.each(['https://user:hunter2@host/a', 'https://hunter2@host/a', 'ssh://git:hunter2@host/a'])(
    '%s is refused for its secret, which the message does not repeat',
    (name) => {
      expect(() => parseRepositoryName(name)).toThrow(/repository\.token_env/);
      expect(() => parseRepositoryName(name)).not.toThrow(/hunter2/);
    },
  );
});

describe('a local repository', () => {
  const cache = new RepositoryCache(fresh('cache'));
  const resolve = (path: string, more: Omit<ResolveRequest, 'repository'> = {}): ReturnType<typeof resolveCommit> =>
    resolveCommit(cache, { repository: { kind: 'path', path }, ...more });
  /** Resolves, packs and fetches; the names of the files in the commit. */
  const travel = async (path: string): Promise<string[]> => {
    const { commit } = await resolve(path);
    const source: RepositorySource = {
      kind: 'bundle',
      id: `${path} ${commit}`,
      open: async () => (await bundleRepository({ path, commit })).stream,
    };
    const { gitDirectory } = await cache.fetch(source, commit);
    return git(gitDirectory, ['ls-tree', '-r', '--name-only', commit]).toString().trim().split('\n');
  };

  it('is at its HEAD when nothing is said, and names its branch', async () => {
    const { path, commit } = makeRepository(fresh('plain'), { a: 'a\n' });
    expect(await resolve(path)).toEqual({ commit, branch: 'main' });
    expect(await travel(path)).toEqual(['a']);
  });

  it('may be bare, a linked working tree, a folder inside, or have a detached HEAD', async () => {
    const { path, commit } = makeRepository(fresh('plain'), { 'sub/a': 'a\n' });
    const [bare, linked] = [fresh('bare'), fresh('linked')];
    git(folder.path, ['clone', '--quiet', '--bare', path, bare]);
    git(path, ['worktree', 'add', '--quiet', '-b', 'other', linked]);
    const later = commitFile(linked, 'later');
    expect(await resolve(bare)).toEqual({ commit, branch: 'main' });
    expect(await resolve(linked)).toEqual({ commit: later, branch: 'other' });
    expect(await resolve(join(path, 'sub'))).toEqual({ commit, branch: 'main' });
    expect(await travel(bare)).toEqual(['sub/a']);
    expect(await travel(linked)).toEqual(['later', 'sub/a']);
    expect(await travel(join(path, 'sub'))).toEqual(['sub/a']);
    git(path, ['checkout', '--quiet', '--detach']);
    expect(await resolve(path)).toEqual({ commit });
  });

  it('may be shallow: its history ends where it ends', async () => {
    const { path } = makeRepository(fresh('plain'), { a: 'a\n' });
    commitFile(path, 'b');
    commitFile(path, 'c');
    const shallow = fresh('shallow');
    git(folder.path, ['clone', '--quiet', '--depth=2', `file://${path}`, shallow]);
    expect(await travel(shallow)).toEqual(['a', 'b', 'c']);
    const { commit } = await resolve(shallow);
    const { warnings } = await bundleRepository({ path: shallow, commit });
    expect(warnings).toEqual([expect.stringContaining('shallow')]);
  });

  it('has branches, tags, branches of its origin, and commits by their first digits', async () => {
    const { path, commit } = makeRepository(fresh('plain'), { a: 'a\n' });
    git(path, ['tag', '--annotate', '--message', 'one', 'v1']);
    git(path, ['update-ref', 'refs/remotes/origin/far', commit]);
    const later = commitFile(path, 'b');
    expect(await resolve(path, { branch: 'v1' })).toEqual({ commit, branch: 'v1' });
    expect(await resolve(path, { branch: 'far' })).toEqual({ commit, branch: 'far' });
    expect(await resolve(path, { branch: 'main' })).toEqual({ commit: later, branch: 'main' });
    expect(await resolve(path, { commit: commit.slice(0, 8) })).toEqual({ commit });
  });

  it('has the folder that a run is about, or says which folders the commit has', async () => {
    const { path, commit } = makeRepository(fresh('plain'), { 'src/parser/a': 'a', 'docs/b': 'b', file: 'c' });
    writeTree(path, { 'new/d': 'not committed' });
    symlinkSync('src', join(path, 'link'));
    git(path, ['add', 'link']);
    git(path, ['commit', '--quiet', '--message', 'link']);
    const at = (inside: string): ReturnType<typeof locateRepository> =>
      locateRepository(cache, { repo: path, folder: inside });
    for (const inside of ['src', 'src/parser/', './src//parser', 'link/parser', ''])
      // oxlint-disable-next-line no-await-in-loop -- one after another
      expect(await at(inside)).toMatchObject({ about: inside, inferred: false });
    expect(await locateRepository(cache, { repo: join(path, 'src/parser') })).toMatchObject({ about: 'src/parser' });
    const head = git(path, ['rev-parse', '--short=12', 'HEAD']).toString().trim();
    expect(head).not.toBe(commit.slice(0, 12));
    for (const [inside, message] of [
      ['srx', `${path} has no folder "srx" at commit ${head}. Close to it: src.`],
      ['src/parsr', `${path} has no folder "src/parsr" at commit ${head}. Close to it: src/parser.`],
      ['some/where', `${path} has no folder "some/where" at commit ${head}. It has there: docs, src; agents see what`],
      ['file', `${path} has "file" as a file, and not as a folder, at commit ${head}.`],
      ['docs/x', `${path} has no folder "docs/x" at commit ${head}. docs has no folders there: agents see what`],
    ] as const)
      // oxlint-disable-next-line no-await-in-loop -- one after another
      await expect(at(inside)).rejects.toMatchObject({
        type: 'Repository.NotFound',
        message: expect.stringContaining(message),
      });
    // A folder that was made, and not committed yet.
    await expect(locateRepository(cache, { repo: join(path, 'new') })).rejects.toThrow('has no folder "new" at commit');
  });

  it('without the branch lists those with a name close to it', async () => {
    const { path } = makeRepository(fresh('plain'), { a: 'a\n' });
    git(path, ['branch', 'feature/login']);
    git(path, ['branch', 'unrelated-name']);
    await expect(resolve(path, { branch: 'feature/logim' })).rejects.toMatchObject({
      type: 'Repository.NotFound',
      message: expect.stringMatching(/no branch "feature\/logim".*feature\/login\.$/),
    });
  });

  it.each<[string, () => string, Omit<ResolveRequest, 'repository'>, string, RegExp]>([
    ['a folder that does not exist', () => fresh('none'), {}, 'Repository.NotFound', /does not exist/],
    [
      'a folder without a repository',
      () => (mkdirSync(`${folder.path}/no`, { recursive: true }), `${folder.path}/no`),
      {},
      'Repository.NotFound',
      /git -C .* init/,
    ],
    [
      'a file',
      () => (writeFileSync(`${folder.path}/file`, ''), `${folder.path}/file`),
      {},
      'Repository.NotFound',
      /not a folder/,
    ],
    ['a repository without commits', () => emptyRepository([]), {}, 'Repository.NotFound', /no commits yet/],
    [
      'a branch of a repository without commits',
      () => emptyRepository([]),
      { branch: 'main' },
      'Repository.NotFound',
      /no commits yet/,
    ],
    [
      'a repository with SHA-256 names',
      () => emptyRepository(['--object-format=sha256']),
      {},
      'Input.Invalid',
      /SHA-256/,
    ],
    [
      'an unknown commit',
      () => makeRepository(fresh('plain'), { a: '' }).path,
      { commit: '1'.repeat(40) },
      'Repository.NotFound',
      /no commit 1111/,
    ],
    [
      'a commit that is no name',
      () => makeRepository(fresh('plain'), { a: '' }).path,
      { commit: 'HEAD~1' },
      'Input.Invalid',
      /hexadecimal/,
    ],
  ])('%s is a clear mistake', async (_, path, more, type, message) => {
    await expect(resolve(path(), more)).rejects.toMatchObject({ type, message: expect.stringMatching(message) });
  });

  const emptyRepository = (options: string[]): string => {
    const path = fresh('empty');
    mkdirSync(path);
    git(path, ['init', '--quiet', ...options]);
    return path;
  };

  it('is packed as it was committed; what was not is named', async () => {
    const { path, commit } = makeRepository(fresh('dirty'), { a: 'a\n', b: 'b\n' });
    writeTree(path, { a: 'changed\n', new: 'new\n', 'another/new': 'new\n' });
    const { warnings } = await bundleRepository({ path, commit });
    expect(warnings).toEqual([expect.stringMatching(/1 uncommitted change and 2 untracked files or folders/)]);
    const one = makeRepository(fresh('dirty-one'), { a: 'a\n' });
    writeTree(one.path, { a: 'changed\n' });
    expect((await bundleRepository(one)).warnings).toEqual([expect.stringMatching(/commit it first if it matters\.$/)]);
    expect((await bundleRepository(makeRepository(fresh('clean'), { a: 'a\n' }))).warnings).toEqual([]);
  });

  it('runs nothing on the host, whatever its configuration says', async () => {
    const { path, commit } = makeRepository(fresh('hostile'), { a: 'a\n', '.gitattributes': '* filter=evil\n' });
    const ran = join(folder.path, 'ran');
    const evil = join(path, '.git', 'evil');
    writeFileSync(evil, `#!/bin/sh\ntouch ${ran}\ncat\n`, { mode: 0o755 });
    for (const name of [
      'filter.evil.clean',
      'filter.evil.process',
      'core.fsmonitor',
      'core.sshCommand',
      'core.pager',
      'uploadpack.packObjectsHook',
      'diff.external',
      'credential.helper',
      'core.alternateRefsCommand',
    ]) {
      git(path, ['config', name, evil]);
    }
    git(path, ['config', 'filter.evil.required', 'true']);
    for (const hook of [
      'post-checkout',
      'pre-commit',
      'reference-transaction',
      'post-index-change',
      'fsmonitor-watchman',
    ]) {
      mkdirSync(join(path, '.git/hooks'), { recursive: true });
      writeFileSync(join(path, '.git/hooks', hook), `#!/bin/sh\ntouch ${ran}\n`, { mode: 0o755 });
    }
    // Of the same length: what changed shows only to who reads it, through the filters if they are not off.
    writeTree(path, { a: 'b\n' });
    expect(await resolve(path)).toMatchObject({ commit });
    expect(await travel(path)).toEqual(['.gitattributes', 'a']);
    expect(existsSync(ran)).toBe(false);
  });

  it('is not written to', async () => {
    const { path } = makeRepository(fresh('plain'), { a: 'a\n' });
    const look = (): string[] =>
      readdirSync(path, { recursive: true, encoding: 'utf8' }).map(
        (name) => `${name} ${statSync(join(path, name)).mtimeMs}`,
      );
    const before = look();
    await travel(path);
    expect(look()).toEqual(before);
  });

  it('leaves nothing behind when its bundle is not wanted', async () => {
    const temporary = fresh('temporary');
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
    const bundle = await bundleRepository(makeRepository(fresh('plain'), { a: 'a\n' }));
    bundle.stream.destroy();
    await once(bundle.stream, 'close');
    expect(readdirSync(temporary)).toEqual([]);
    const half = await bundleRepository(makeRepository(fresh('plain'), { a: new Uint8Array(3_000_000) }));
    for await (const chunk of half.stream) if (chunk !== undefined) break;
    await expect.poll(() => readdirSync(temporary)).toEqual([]);
    vi.unstubAllEnvs();
  });

  it('that cannot be packed ends the stream with the reason', async () => {
    const { path, commit } = makeRepository(fresh('damaged'), { a: 'a\n' });
    const blob = git(path, ['rev-parse', 'HEAD:a']).toString().trim();
    const { rmSync } = await import('node:fs');
    rmSync(join(path, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    const { stream } = await bundleRepository({ path, commit });
    await expect(text(stream)).rejects.toMatchObject({ type: 'Repository.Unavailable' });
  });
});

describe('a repository elsewhere', () => {
  let server: GitServer;
  let commits: { first: string; second: string; side: string };
  let cache: RepositoryCache;
  const source = (name = 'project.git', token?: string): RepositorySource & { kind: 'url' } => ({
    kind: 'url',
    url: `${server.url}/${name}`,
    ...(token === undefined ? {} : { token }),
  });
  const resolve = (
    repository: RepositorySource & { kind: 'url' },
    more: Omit<ResolveRequest, 'repository'> = {},
    signal?: AbortSignal,
  ): ReturnType<typeof resolveCommit> => resolveCommit(cache, { repository, ...more }, signal);

  beforeAll(async () => {
    const served = fresh('served');
    const { path, commit } = makeRepository(join(served, 'project.git'), { a: 'a\n' });
    git(path, ['tag', 'v1']);
    const second = commitFile(path, 'b');
    git(path, ['checkout', '--quiet', '-b', 'side']);
    const side = commitFile(path, 'c');
    git(path, ['checkout', '--quiet', 'main']);
    commits = { first: commit, second, side };
    mkdirSync(join(served, 'empty.git'));
    git(join(served, 'empty.git'), ['init', '--quiet', '--bare']);
    server = await startGitServer(served);
  });
  afterAll(() => server.close());
  const withNewCache = (): RepositoryCache => {
    cache = new RepositoryCache(fresh('cache'));
    server.authorization = undefined;
    server.silent = false;
    return cache;
  };

  it('is at its default branch, a branch, a tag or a commit', async () => {
    withNewCache();
    expect(await resolve(source())).toEqual({ commit: commits.second, branch: 'main' });
    expect(await resolve(source(), { branch: 'side' })).toEqual({ commit: commits.side, branch: 'side' });
    expect(await resolve(source(), { branch: 'v1' })).toEqual({ commit: commits.first, branch: 'v1' });
    expect(await resolve(source(), { commit: commits.first })).toEqual({ commit: commits.first });
    expect(await resolve(source(), { commit: commits.side.slice(0, 9) })).toEqual({ commit: commits.side });
  });

  it('is asked for the folder that a run is about', async () => {
    const asked = withNewCache();
    const { url, token } = source();
    const access = { repo: url, ...(token === undefined ? {} : { token }) };
    await expect(locateRepository(asked, { ...access, folder: 'nowhere' })).rejects.toMatchObject({
      type: 'Repository.NotFound',
      message: expect.stringContaining(`${url} has no folder "nowhere" at commit ${commits.second.slice(0, 12)}.`),
    });
  });

  it('is fetched once, however many ask at the same time', async () => {
    const asked = withNewCache();
    server.requests.length = 0;
    const all = await Promise.all(Array.from({ length: 5 }, () => asked.fetch(source(), commits.second)));
    await asked.fetch(source(), commits.second);
    expect(new Set(all.map(({ gitDirectory }) => gitDirectory)).size).toBe(1);
    const [first] = all;
    expect(git(first?.gitDirectory ?? '', ['log', '--format=%s', commits.second]).toString()).toBe('b\nstart\n');
    expect(server.requests.filter((request) => request.includes('info/refs'))).toHaveLength(1);
  });

  it.each<[string, string, Omit<ResolveRequest, 'repository'>, RegExp]>([
    ['a repository that is not there', 'nothing.git', {}, /no repository at/],
    ['a branch that is not there', 'project.git', { branch: 'sied' }, /no branch "sied".*side/],
    ['a commit that is not there', 'project.git', { commit: '1'.repeat(40) }, /no commit 1111/],
    ['an abbreviated one that is not there', 'project.git', { commit: '1234567' }, /no commit 1234567/i],
    ['one without commits', 'empty.git', {}, /no commits yet/],
  ])('%s is a clear mistake', async (_, name, more, message) => {
    withNewCache();
    await expect(resolve(source(name), more)).rejects.toMatchObject({
      type: 'Repository.NotFound',
      message: expect.stringMatching(message),
    });
  });

  it('that asks for a token says where to put it', async () => {
    withNewCache();
    server.authorization = 'Basic something';
    await expect(resolve(source())).rejects.toMatchObject({
      type: 'Repository.NotFound',
      message: expect.stringContaining('repository.token_env'),
    });
  });

  it('gets the token, which is kept nowhere', async () => {
    const asked = withNewCache();
    server.authorization = `Basic ${Buffer.from('x-access-token:very-secret').toString('base64')}`;
    const { commit } = await resolve(source('project.git', 'very-secret'));
    const { gitDirectory } = await asked.fetch(source('project.git', 'very-secret'), commit);
    for (const name of readdirSync(gitDirectory, { recursive: true, encoding: 'utf8' })) {
      const path = join(gitDirectory, name);
      if (!statSync(path).isFile()) continue;
      const content = readFileSync(path);
      for (const secret of ['very-secret', server.authorization.slice(6)]) expect(content.includes(secret)).toBe(false);
    }
  });

  it('does not get the token without encryption', async () => {
    withNewCache();
    const repository = { kind: 'url', url: 'http://example.invalid/x', token: 'very-secret' } as const;
    await expect(resolve(repository)).rejects.toMatchObject({ type: 'Input.Invalid' });
  });

  it('that is away is worth another attempt', async () => {
    withNewCache();
    const repository = { kind: 'url', url: 'http://127.0.0.1:1/x' } as const;
    await expect(resolve(repository)).rejects.toMatchObject({ type: 'Repository.Unavailable' });
  });

  it('that never answers can be given up', async () => {
    withNewCache();
    server.silent = true;
    const controller = new AbortController();
    server.requests.length = 0;
    const asked = resolve(source(), {}, controller.signal);
    asked.catch(() => undefined);
    await expect.poll(() => server.requests.length).toBeGreaterThan(0);
    controller.abort();
    await expect(asked).rejects.toMatchObject({ type: 'Repository.Unavailable' });
  });
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { RepositorySource } from '../../src/sandbox/provider.ts';
import { bundleRepository } from '../../src/sandbox/repository/bundle.ts';
import { RepositoryCache } from '../../src/sandbox/repository/repository-cache.ts';
import { resolveCommit } from '../../src/sandbox/repository/resolve-commit.ts';
import { sized } from '../sizes.ts';
import { git, makeRepository, temporaryFolder, writeTree, type TestRepository } from './fixtures.ts';
import { startGitServer, type GitServer } from './git-server.ts';

const USE_GIT = fileURLToPath(new URL('use-git.ts', import.meta.url));
const ORDINARY_UID = 61_004;
const OTHER_UID = 61_005;
const isRoot = process.getuid?.() === 0;

const folder = temporaryFolder();
// Other users run what is tested here, too.
chmodSync(folder.path, 0o755);
const home = `${folder.path}/home`;
/** Made by any program that is run and should not be. */
const ran = `${folder.path}/ran/it`;
const evil = `${folder.path}/evil`;
let count = 0;
const fresh = (kind: string): string => `${folder.path}/${kind}-${(count += 1)}`;

let served: TestRepository;
let server: GitServer;
/** A server that nobody should ask anything. */
let stranger: Server;
let strangerUrl: string;
const asked: { readonly url: string; readonly authorization: string | undefined }[] = [];

beforeAll(async () => {
  mkdirSync(`${folder.path}/ran`);
  chmodSync(`${folder.path}/ran`, 0o777);
  mkdirSync(home);
  writeFileSync(evil, `#!/bin/sh\ntouch ${ran}\ncat\n`);
  chmodSync(evil, 0o755);
  served = makeRepository(`${folder.path}/served/project.git`, { a: 'a\n' });
  server = await startGitServer(`${folder.path}/served`);
  stranger = createServer((request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization });
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  strangerUrl = `http://127.0.0.1:${portOf(stranger)}`;
});
beforeEach(() => {
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_CONFIG_HOME', '');
  vi.stubEnv('GIT_CONFIG_GLOBAL', undefined);
  server.authorization = undefined;
  server.silent = false;
  asked.length = 0;
});
const start = process.cwd();
afterEach(() => {
  process.chdir(start);
  vi.unstubAllEnvs();
  rmSync(`${home}/.gitconfig`, { force: true });
  rmSync(ran, { force: true });
});
afterAll(async () => {
  await server.close();
  stranger.close();
  folder.remove();
});

/** Resolves a repository, fetches it and lists its files. */
async function use(
  repository: (RepositorySource & { kind: 'url' }) | { readonly kind: 'path'; readonly path: string },
): Promise<string[]> {
  const cache = new RepositoryCache(fresh('cache'));
  const { commit } = await resolveCommit(cache, { repository });
  const source: RepositorySource =
    repository.kind === 'url'
      ? repository
      : { kind: 'bundle', id: commit, open: async () => (await bundleRepository({ ...repository, commit })).stream };
  const { gitDirectory } = await cache.fetch(source, commit);
  return git(gitDirectory, ['ls-tree', '-r', '--name-only', commit]).toString().trim().split('\n');
}

const fromServer = (more: { token?: string; anonymous?: true } = {}): RepositorySource & { kind: 'url' } => ({
  kind: 'url',
  url: `${server.url}/project.git`,
  ...more,
});

/** What a configuration may hold that runs something or changes where a connection goes. */
const hostile = (): Readonly<Record<string, readonly (readonly [string, string])[]>> => ({
  'core.fsmonitor': [['core.fsmonitor', evil]],
  'core.sshCommand': [
    ['core.sshCommand', evil],
    [`url.ssh://127.0.0.1/.insteadOf`, `${server.url}/`],
  ],
  'url.insteadOf': [[`url.${strangerUrl}/.insteadOf`, `${server.url}/`]],
  'url.insteadOf with protocol.ext': [
    ['protocol.ext.allow', 'always'],
    [`url.ext::${evil} .insteadOf`, `${server.url}/`],
  ],
  'http.proxy': [['http.proxy', strangerUrl]],
  'credential.helper': [['credential.helper', evil]],
  'core.askPass': [['core.askPass', evil]],
  'core.hooksPath': [['core.hooksPath', `${folder.path}/hooks`]],
  'core.gitProxy': [
    ['core.gitProxy', evil],
    [`url.git://127.0.0.1/.insteadOf`, `${server.url}/`],
  ],
  'uploadpack.packObjectsHook': [['uploadpack.packObjectsHook', evil]],
  'core.alternateRefsCommand': [['core.alternateRefsCommand', evil]],
  'include.path': [['include.path', `${folder.path}/included`]],
  'core.pager and aliases': [
    ['core.pager', evil],
    ['pager.ls-remote', 'true'],
    ['alias.ls-remote', `!${evil}`],
    ['alias.fetch', `!${evil}`],
  ],
});

function makeHostile(path: string, settings: readonly (readonly [string, string])[]): TestRepository {
  const made = makeRepository(path, { a: 'a\n', '.gitattributes': '* filter=evil diff=evil\n' });
  mkdirSync(`${folder.path}/hooks`, { recursive: true });
  for (const hook of ['reference-transaction', 'post-checkout', 'post-index-change', 'fsmonitor-watchman']) {
    for (const place of [`${folder.path}/hooks`, join(path, '.git/hooks')]) {
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, hook), `#!/bin/sh\ntouch ${ran}\n`);
      chmodSync(join(place, hook), 0o755);
    }
  }
  const included = `[core]\n\tfsmonitor = ${evil}\n\tsshCommand = ${evil}\n[url "${strangerUrl}/"]\n\tinsteadOf = ${server.url}/\n`;
  writeFileSync(`${folder.path}/included`, included);
  for (const [name, value] of settings) git(path, ['config', '--add', name, value]);
  // Of the same length: what has changed shows only to who reads the file.
  writeTree(path, { a: 'b\n' });
  return made;
}

const KEYS = [
  'core.fsmonitor',
  'core.sshCommand',
  'url.insteadOf',
  'url.insteadOf with protocol.ext',
  'http.proxy',
  'credential.helper',
  'core.askPass',
  'core.hooksPath',
  'core.gitProxy',
  'uploadpack.packObjectsHook',
  'core.alternateRefsCommand',
  'include.path',
  'core.pager and aliases',
];

describe('the configuration of the current folder', () => {
  it.each(sized(['core.sshCommand', 'url.insteadOf with protocol.ext', 'credential.helper'], KEYS))(
    'does not count for a repository elsewhere: %s',
    async (key) => {
      const path = fresh('hostile');
      makeHostile(path, hostile()[key] ?? []);
      process.chdir(path);
      // Asked for a password, so that helpers would be.
      if (['credential.helper', 'core.askPass'].includes(key)) server.authorization = 'Basic something';
      const used = use(fromServer());
      if (server.authorization === undefined) expect(await used).toEqual(['a']);
      else await expect(used).rejects.toThrow(/repository\.token_env/);
      expect({ ran: existsSync(ran), asked }).toEqual({ ran: false, asked: [] });
    },
  );

  it('does not count from a folder above, nor from a file named .git', async () => {
    const path = fresh('hostile');
    makeHostile(path, hostile()['url.insteadOf'] ?? []);
    mkdirSync(`${path}/sub/linked`, { recursive: true });
    writeFileSync(`${path}/sub/linked/.git`, `gitdir: ${path}/.git\n`);
    for (const place of [`${path}/sub`, `${path}/sub/linked`]) {
      process.chdir(place);
      // oxlint-disable-next-line no-await-in-loop -- there is one current folder
      expect(await use(fromServer())).toEqual(['a']);
    }
    expect(asked).toEqual([]);
  });

  it('does not count through the environment of this process', async () => {
    const path = fresh('hostile');
    makeHostile(path, hostile()['url.insteadOf'] ?? []);
    vi.stubEnv('GIT_DIR', `${path}/.git`);
    vi.stubEnv('GIT_CONFIG_COUNT', '1');
    vi.stubEnv('GIT_CONFIG_KEY_0', `url.${strangerUrl}/.insteadOf`);
    vi.stubEnv('GIT_CONFIG_VALUE_0', `${server.url}/`);
    vi.stubEnv('GIT_CONFIG_PARAMETERS', `'url.${strangerUrl}/.insteadof=${server.url}/'`);
    vi.stubEnv('GIT_CONFIG_SYSTEM', `${path}/.git/config`);
    vi.stubEnv('GIT_EXEC_PATH', folder.path);
    vi.stubEnv('GIT_PROXY_COMMAND', evil);
    vi.stubEnv('GIT_ASKPASS', evil);
    expect(await use(fromServer())).toEqual(['a']);
    expect({ ran: existsSync(ran), asked }).toEqual({ ran: false, asked: [] });
  });

  const owners = [
    ['root', 0, OTHER_UID],
    ['an ordinary user', ORDINARY_UID, ORDINARY_UID],
    ['an ordinary user', ORDINARY_UID, 0],
    ['root', 0, 0],
    ['an ordinary user', ORDINARY_UID, OTHER_UID],
  ] as const;
  it.for(owners.slice(0, sized(3, 5)))(
    'does not count for %s (%i) when user %i owns it',
    async ([, uid, owner], { skip }) => {
      if (!isRoot) skip('only root can be several users');
      const path = fresh('owned');
      const all = KEYS.filter((key) => !key.includes('protocol.ext')).flatMap((key) => hostile()[key] ?? []);
      makeHostile(path, all);
      mkdirSync(`${path}/below`);
      const cache = fresh('cache');
      mkdirSync(cache);
      await give(path, owner);
      await give(cache, uid);
      const how = { uid, gid: uid, cwd: `${path}/below`, env: { PATH: process.env['PATH'], HOME: home } };
      const elsewhere = await run([USE_GIT, cache, `${server.url}/project.git`], how);
      expect(elsewhere).toEqual({ commit: served.commit, files: ['a'] });
      // The very repository that the current folder is in: its own user's is read, another's is not.
      const here = await run([USE_GIT, cache, '..'], { ...how, env: { ...how.env } });
      if (owner === uid) expect(here).toMatchObject({ files: ['.gitattributes', 'a'] });
      else
        expect(here).toEqual({ error: expect.stringMatching(/user \(uid \d+\).*git config --global --add safe\.dir/) });
      expect({ ran: existsSync(ran), asked }).toEqual({ ran: false, asked: [] });
    },
  );
});

describe('the configuration of a local repository', () => {
  const others = ['filters', 'core.worktree', 'a configuration of the working tree', 'a promisor that is a program'];
  it.each([...sized(['core.fsmonitor', 'uploadpack.packObjectsHook', 'include.path'], KEYS), ...others])(
    'does not count: %s',
    async (key) => {
      const path = fresh('hostile');
      const { commit } = makeHostile(path, hostile()[key] ?? []);
      const elsewhere = fresh('elsewhere');
      mkdirSync(elsewhere);
      const more: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
        filters: ['clean', 'process', 'smudge'].map((kind) => [`filter.evil.${kind}`, evil] as const),
        'core.worktree': [['core.worktree', elsewhere]],
        'a configuration of the working tree': [['extensions.worktreeConfig', 'true']],
        'a promisor that is a program': [
          ['remote.origin.url', `ext::${evil}`],
          ['remote.origin.promisor', 'true'],
          ['protocol.ext.allow', 'always'],
        ],
      };
      for (const [name, value] of more[key] ?? []) git(path, ['config', name, value]);
      writeFileSync(join(path, '.git/config.worktree'), `[core]\n\tfsmonitor = ${evil}\n`);
      rmSync(ran, { force: true });
      const { warnings, stream } = await bundleRepository({ path, commit });
      stream.destroy();
      expect(warnings).toEqual([expect.stringMatching(/^1 uncommitted change in /)]);
      expect(await use({ kind: 'path', path })).toEqual(['.gitattributes', 'a']);
      expect({ ran: existsSync(ran), asked }).toEqual({ ran: false, asked: [] });
    },
  );

  it('says how files compare, and what is ignored', async () => {
    const { path, commit } = makeRepository(fresh('compared'), { a: 'a\n', '.gitignore': 'ignored\n' });
    git(path, ['config', 'core.fileMode', 'false']);
    chmodSync(join(path, 'a'), 0o755);
    writeTree(path, { ignored: '', '.git/info/exclude': 'excluded\n', excluded: '', mine: '' });
    writeFileSync(`${home}/.gitconfig`, `[core]\n\texcludesFile = ${home}/ignore\n`);
    writeFileSync(`${home}/ignore`, 'mine\n');
    const { warnings, stream } = await bundleRepository({ path, commit });
    stream.destroy();
    expect(warnings).toEqual([]);
  });

  it('may say that its index lies in several files', async () => {
    const { path, commit } = makeRepository(fresh('split'), { a: 'a\n' });
    git(path, ['update-index', '--split-index']);
    writeTree(path, { b: 'b\n' });
    git(path, ['add', 'b']);
    expect(readdirSync(join(path, '.git')).some((name) => name.startsWith('sharedindex.'))).toBe(true);
    const { warnings, stream } = await bundleRepository({ path, commit });
    stream.destroy();
    expect(warnings).toEqual([expect.stringMatching(/^1 uncommitted change in /)]);
  });
});

describe('a local repository', () => {
  it('may borrow its objects, and hold submodules', async () => {
    const { path } = makeRepository(fresh('lender'), { a: 'a\n' });
    const borrower = fresh('borrower');
    git(folder.path, ['clone', '--quiet', '--shared', path, borrower]);
    git(borrower, ['-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', path, 'module']);
    git(borrower, ['config', '-f', '.gitmodules', 'submodule.module.update', `!${evil}`]);
    git(borrower, ['commit', '--quiet', '--all', '--message', 'submodule']);
    expect(await use({ kind: 'path', path: borrower })).toEqual(['.gitmodules', 'a', 'module']);
    expect(await use({ kind: 'path', path: join(borrower, 'module') })).toEqual(['a']);
    expect(existsSync(ran)).toBe(false);
  });

  it('that was moved away from its linked working tree is a clear mistake, not the repository above', async () => {
    const { path } = makeRepository(fresh('above'), { a: 'a\n' });
    mkdirSync(`${path}/linked`);
    writeFileSync(`${path}/linked/.git`, `gitdir: ${folder.path}/nowhere\n`);
    await expect(use({ kind: 'path', path: `${path}/linked` })).rejects.toThrow(/git worktree repair/);
  });

  it.for([
    ['', false],
    ['[safe]\n\tdirectory = {}\n', true],
    ['[safe]\n\tdirectory = *\n', true],
    ['[safe]\n\tdirectory = {parent}/*\n', true],
    ['[safe]\n\tdirectory = {}\n\tdirectory =\n', false],
    ['[safe]\n\tdirectory = {}/sub\n', false],
  ] as const)('of another user is read as the user’s own configuration says: %j', async ([text, isRead], { skip }) => {
    if (!isRoot) skip('only root can give a folder away');
    const { path } = makeRepository(fresh('foreign'), { 'sub/a': 'a\n' });
    // What the repository itself says does not count.
    git(path, ['config', 'safe.directory', '*']);
    await give(path, OTHER_UID);
    writeFileSync(`${home}/.gitconfig`, text.replace('{}', path).replace('{parent}', folder.path));
    for (const place of [path, `${path}/sub`]) {
      const used = use({ kind: 'path', path: place });
      // oxlint-disable-next-line no-await-in-loop
      if (isRead) expect(await used).toEqual(['sub/a']);
      // oxlint-disable-next-line no-await-in-loop
      else await expect(used).rejects.toThrow(`git config --global --add safe.directory ${path}`);
    }
  });

  it('of the user who typed sudo is read by root', async ({ skip }) => {
    if (!isRoot) skip('only root can give a folder away');
    const { path } = makeRepository(fresh('foreign'), { a: 'a\n' });
    await give(path, OTHER_UID);
    vi.stubEnv('SUDO_UID', String(OTHER_UID));
    expect(await use({ kind: 'path', path })).toEqual(['a']);
  });
});

describe('the user’s own configuration', () => {
  it('names proxies, also through a file that it includes', async () => {
    const proxied: string[] = [];
    const proxy = createServer((request, response) => {
      proxied.push(request.url ?? '');
      response.writeHead(502).end();
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const proxyUrl = `http://127.0.0.1:${portOf(proxy)}`;
    writeFileSync(`${home}/.gitconfig`, `[include]\n\tpath = more\n`);
    writeFileSync(`${home}/more`, `[http "http://git.invalid"]\n\tproxy = ${proxyUrl}\n`);
    await expect(use({ kind: 'url', url: 'http://git.invalid/project.git' })).rejects.toThrow(/502/);
    expect(proxied).toEqual([expect.stringMatching(/^http:\/\/git\.invalid\/project\.git\/info\/refs/)]);
    proxy.close();
  });

  it('names credential helpers, which are not asked where the run has a token', async () => {
    const helper = `!f() { touch ${ran}; echo username=me; echo password=mine; }; f`;
    writeFileSync(`${home}/.gitconfig`, `[credential "${server.url}"]\n\thelper = "${helper}"\n`);
    server.authorization = `Basic ${Buffer.from('me:mine').toString('base64')}`;
    expect(await use(fromServer())).toEqual(['a']);
    rmSync(ran);
    server.authorization = `Basic ${Buffer.from('x-access-token:token').toString('base64')}`;
    expect(await use(fromServer({ token: 'token' }))).toEqual(['a']);
    await expect(use(fromServer({ token: 'wrong' }))).rejects.toThrow(/token_env/);
    expect(existsSync(ran)).toBe(false);
  });

  it.each<[what: string, lend: () => void]>([
    [
      'a credential helper',
      () =>
        writeFileSync(
          `${home}/.gitconfig`,
          `[credential]\n\thelper = "!f() { echo username=me; echo password=mine; }; f"\n`,
        ),
    ],
    ['.netrc', () => writeFileSync(`${home}/.netrc`, 'machine 127.0.0.1 login me password mine\n')],
  ])('lends nothing to a run that somebody else started: %s', async (_, lend) => {
    lend();
    onTestFinished(() => rmSync(`${home}/.netrc`, { force: true }));
    server.authorization = `Basic ${Buffer.from('me:mine').toString('base64')}`;
    expect(await use(fromServer())).toEqual(['a']);
    await expect(use(fromServer({ anonymous: true }))).rejects.toThrow(/worker\.allow\.repositories/);
    server.authorization = undefined;
    expect(await use(fromServer({ anonymous: true })), 'what is public').toEqual(['a']);
  });

  it('nor what was fetched with it before', async () => {
    writeFileSync(
      `${home}/.gitconfig`,
      `[credential]\n\thelper = "!f() { echo username=me; echo password=mine; }; f"\n`,
    );
    server.authorization = `Basic ${Buffer.from('me:mine').toString('base64')}`;
    const cache = new RepositoryCache(fresh('cache'));
    const { commit } = await resolveCommit(cache, { repository: fromServer() });
    await cache.fetch(fromServer(), commit);
    const repository = fromServer({ anonymous: true });
    for (const name of [commit, commit.slice(0, 10)])
      // oxlint-disable-next-line no-await-in-loop -- the second uses what the first has made
      await expect(resolveCommit(cache, { repository, commit: name })).rejects.toThrow(/cannot be read/);
  });

  it('does not change where a connection goes', async () => {
    writeFileSync(`${home}/.gitconfig`, `[url "${strangerUrl}/"]\n\tinsteadOf = ${server.url}/\n`);
    expect(await use(fromServer())).toEqual(['a']);
    expect(asked).toEqual([]);
  });

  it('is not another user’s, whatever HOME says', async ({ skip }) => {
    if (!isRoot) skip('only root can give a file away');
    writeFileSync(`${home}/.gitconfig`, `[credential]\n\thelper = ${evil}\n`);
    chownSync(`${home}/.gitconfig`, OTHER_UID, OTHER_UID);
    server.authorization = 'Basic something';
    await expect(use(fromServer())).rejects.toThrow(/token_env/);
    expect(existsSync(ran)).toBe(false);
  });

  it.each([
    ['the environment', { GIT_SSH_COMMAND: 'record environment' }, '[core]\n\tsshCommand = record configuration\n'],
    ['the configuration', {}, '[core]\n\tsshCommand = record configuration\n'],
    ['itself', {}, ''],
  ])('says how ssh is called: %s', async (who, environment: Readonly<Record<string, string>>, text) => {
    const programs = fresh('programs');
    mkdirSync(programs);
    const said = `${programs}/said`;
    for (const name of ['record', 'ssh']) {
      writeFileSync(`${programs}/${name}`, `#!/bin/sh\necho "${name} $*" >> ${said}\nexit 1\n`);
      chmodSync(`${programs}/${name}`, 0o755);
    }
    vi.stubEnv('PATH', `${programs}:${process.env['PATH']}`);
    vi.stubEnv('GIT_SSH_VARIANT', 'ssh');
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    writeFileSync(`${home}/.gitconfig`, text);
    await expect(use({ kind: 'url', url: 'ssh://git@host.invalid/project.git' })).rejects.toThrow();
    const first = readFileSync(said, 'utf8').split('\n')[0];
    if (who === 'itself') expect(first).toMatch(/^ssh -oBatchMode=yes -oConnectTimeout=20 .*git@host\.invalid/);
    else expect(first).toMatch(new RegExp(`^record ${who.split(' ')[1]} .*git@host\\.invalid`));
  });
});

describe('a token', () => {
  it('is not passed on to the server that its own sends git to', async () => {
    const token = 'very-secret';
    const expected = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
    // Answers as a git server does, and asks for nothing.
    const target = createServer((request, response) => {
      asked.push({ url: request.url ?? '', authorization: request.headers.authorization });
      const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
      request.resume();
      if (request.method === 'POST') {
        response.writeHead(403).end();
        return;
      }
      response.setHeader('Content-Type', 'application/x-git-upload-pack-advertisement');
      const offers = ['version 2\n', 'ls-refs\n', 'fetch\n', 'object-format=sha1\n'].map(line).join('');
      response.end(`${line('# service=git-upload-pack\n')}0000${offers}0000`);
    }).listen(0, '127.0.0.1');
    await once(target, 'listening');
    const redirecting = createServer((request, response) => {
      if (request.headers.authorization !== expected) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
        return;
      }
      const location = `http://localhost:${portOf(target)}/elsewhere.git/info/refs?service=git-upload-pack`;
      response.writeHead(302, { Location: location }).end();
    }).listen(0, '127.0.0.1');
    await once(redirecting, 'listening');
    const url = `http://127.0.0.1:${portOf(redirecting)}/project.git`;
    await expect(use({ kind: 'url', url, token })).rejects.toThrow();
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    target.close();
    redirecting.close();
  });

  it('is good for a repository that was renamed on its server, or its new URL is asked for (git before 2.46)', async () => {
    server.authorization = `Basic ${Buffer.from('x-access-token:token').toString('base64')}`;
    server.renamed = { from: '/old.git/', to: '/project.git/' };
    const used = use({ ...fromServer({ token: 'token' }), url: `${server.url}/old.git` });
    const outcome = await used.catch((error: unknown) => String(error));
    server.renamed = undefined;
    const [, major, minor] = /(\d+)\.(\d+)/.exec(git(folder.path, ['--version']).toString()) ?? [];
    if (Number(major) > 2 || Number(minor) >= 46) expect(outcome).toEqual(['a']);
    else expect(outcome).toMatch(/has moved on its server: give the repository's new URL/);
  });

  it('is in no process’s arguments while git asks', async () => {
    const token = 'very-secret-token';
    const credentials = Buffer.from(`x-access-token:${token}`).toString('base64');
    const seen: string[] = [];
    const received: (string | undefined)[] = [];
    // While it is asked, git and its helpers live.
    const asking = createServer((request, response) => {
      received.push(request.headers.authorization);
      seen.push(...commandLines().filter((line) => line.includes(token) || line.includes(credentials)));
      response.writeHead(received.length === 1 ? 401 : 404, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
    }).listen(0, '127.0.0.1');
    await once(asking, 'listening');
    const url = `http://127.0.0.1:${portOf(asking)}/project.git`;
    await expect(use({ kind: 'url', url, token })).rejects.toThrow(/no repository/);
    asking.close();
    expect(received).toEqual([undefined, `Basic ${credentials}`]);
    expect(seen).toEqual([]);
  });
});

function portOf(of: Server): number {
  const address = of.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function commandLines(): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [readFileSync(`/proc/${name}/cmdline`, 'utf8')];
    } catch {
      return [];
    }
  });
}

async function give(path: string, uid: number): Promise<void> {
  await promisify(execFile)('chown', ['-R', `${uid}:${uid}`, path]);
}

async function run(
  arguments_: string[],
  how: { uid: number; gid: number; cwd: string; env: NodeJS.ProcessEnv },
): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, arguments_, how);
  return JSON.parse(stdout) as unknown;
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { Sandbox } from '../../src/sandbox/provider.ts';
import { sizedCases } from '../sizes.ts';
import { applyPatch } from './apply-patch.ts';
import { makeRepository, sandboxRequest, shell, temporaryFolder, type TestRepository } from './fixtures.ts';

/** Commands by which an agent makes git track what .gitignore names, and what the patch then has. */
const TRACKED: readonly [string, string, Record<string, unknown>][] = [
  ['git add -f', 'echo x > a.log; git add -f a.log', { 'a.log': ['100644', 'x\n'] }],
  ['a commit', 'echo x > a.log; git add -f a.log; git commit -qm x', { 'a.log': ['100644', 'x\n'] }],
  [
    'a commit, and a change after it',
    'echo x > a.log; git add -f a.log; git commit -qm x; echo y >> a.log; chmod +x a.log',
    { 'a.log': ['100755', 'x\ny\n'] },
  ],
  [
    'a commit on another branch',
    'git checkout -qb b; echo x > a.log; git add -f .; git commit -qm x',
    { 'a.log': ['100644', 'x\n'] },
  ],
  ['git add -N', 'echo x > a.log; git add -fN a.log', { 'a.log': ['100644', 'x\n'] }],
  ['one file of a folder', 'mkdir build; touch build/a build/b; git add -f build/a', { 'build/a': ['100644', ''] }],
  ['a symbolic link', 'ln -s /etc/passwd a.log; git add -f a.log', { 'a.log': ['120000', '/etc/passwd'] }],
  [
    'names of any bytes',
    String.raw`printf x > $'\xff \n.log'; printf x > '*.log'; git add -f --all .`,
    { '\xff \n.log': ['100644', 'x'], '*.log': ['100644', 'x'] },
  ],
  ['a split index', 'echo x > a.log; git add -f a.log; git update-index --split-index', { 'a.log': ['100644', 'x\n'] }],
  [
    'an index of version 4',
    'echo x > a.log; git add -f a.log; git update-index --index-version 4',
    { 'a.log': ['100644', 'x\n'] },
  ],
  [
    'a repository of its own making',
    'rm -rf .git; git init -q --separate-git-dir /tmp/repository; echo x > a.log; git add -f a.log',
    { 'a.log': ['100644', 'x\n'] },
  ],
];

/** The same where git does not track the file in the end. */
const UNTRACKED: readonly [string, string][] = [
  ['it was never added', 'touch a.log'],
  ['it was taken out of the index', 'touch a.log; git add -f a.log; git rm -q --cached a.log'],
  ['its commit was undone', 'touch a.log; git add -f a.log; git commit -qm x; git reset -q HEAD~1'],
  ['it was deleted', 'touch a.log; git add -f a.log; rm a.log'],
  ['it is on another branch', 'git checkout -qb b; touch a.log; git add -f a.log; git commit -qm x; git checkout -q -'],
];

/** What is wrong with the index or with what it names; the patch has the rest. */
const HOSTILE: readonly [string, string, RegExp | undefined][] = [
  ['no index', 'head -c 5000 /dev/urandom > .git/index', /index .* cannot be read/],
  ['an empty index', ': > .git/index', /index .* cannot be read/],
  ['an index cut short', 'truncate -s 90 .git/index', /index .* cannot be read/],
  ['a pipe for an index', 'rm .git/index; mkfifo .git/index', /index .* cannot be read.* is no file/],
  ['a device for an index', 'ln -sf /dev/zero .git/index', /index .* cannot be read.* is no file/],
  ['a huge index', 'truncate -s 300M .git/index', /index .* cannot be read.* has more than/],
  ['a pipe for .git', 'rm -rf .git; mkfifo .git', /index .* cannot be read.* is no file/],
  [
    'a shared index that is gone',
    'git update-index --split-index; rm -f .git/sharedindex.*',
    /index .* cannot be read/,
  ],
  [
    'paths beyond a symbolic link',
    'mkdir d.log; touch d.log/passwd; git add -f d.log; rm -r d.log; ln -s /etc d.log',
    undefined,
  ],
  ['paths below a file', 'mkdir d.log; touch d.log/x; git add -f d.log; rm -r d.log; touch d.log', undefined],
  [
    'paths in a repository inside',
    'mkdir d.log; touch d.log/x; git add -f d.log; git -C d.log init -q',
    /d\.log is a git repository of its own/,
  ],
  [
    'names that look like .git',
    `blob=$(git hash-object -w a.txt); mkdir git~1; touch git~1/config; for path in git~1/config ../x /etc/passwd; do
       git -c core.protectNTFS=false update-index --add --cacheinfo 100644,$blob,$path || true; done`,
    /git~1/,
  ],
  ['files that cannot be read', 'touch a.log; git add -f a.log; chmod 0 a.log', /a\.log/],
  [
    'entries without objects',
    'git update-index --add --cacheinfo 100644,1111111111111111111111111111111111111111,b.log',
    undefined,
  ],
];

const EVERY_DAY = {
  tracked: ['a commit, and a change after it', 'names of any bytes', 'a repository of its own making'],
  untracked: ['its commit was undone', 'it is on another branch'],
  hostile: [
    'a pipe for an index',
    'a huge index',
    'a shared index that is gone',
    'paths beyond a symbolic link',
    'names that look like .git',
    'entries without objects',
  ],
};

describe('files that .gitignore names', { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  let provider: LocalProvider;
  let repository: TestRepository;
  let count = 0;

  beforeAll(() => {
    provider = createLocalProvider({ stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` });
    repository = makeRepository(`${folder.path}/repository`, {
      '.gitignore': '*.log\nbuild/\n.venv/\n',
      'a.txt': 'one\n',
      'kept.log': 'tracked by the commit\n',
    });
  });
  afterAll(async () => {
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    folder.remove();
  });

  const after = async (script: string): Promise<Sandbox> => {
    count += 1;
    const sandbox = await provider.connect(await provider.create(sandboxRequest(`tracked-${count}`, repository)));
    await shell(sandbox, script);
    return sandbox;
  };

  it.each(sizedCases(EVERY_DAY.tracked, TRACKED))(
    'belong in the patch where git tracks them: %s',
    async (_, script, expected) => {
      const patch = await (await after(script)).patch();
      expect(applyPatch(folder.path, repository, patch)).toEqual(expected);
      expect(patch.notes).toEqual([]);
    },
  );

  it.each(sizedCases(EVERY_DAY.untracked, UNTRACKED))('do not where %s', async (_, script) => {
    const patch = await (await after(script)).patch();
    expect(patch).toEqual({ bytes: new Uint8Array(), notes: [] });
  });

  it.each(sizedCases(EVERY_DAY.hostile, HOSTILE))(
    'cost nothing else where the repository has %s',
    async (_, script, note) => {
      const patch = await (await after(`${script}; echo two >> a.txt; rm kept.log`)).patch();
      expect(applyPatch(folder.path, repository, patch)).toEqual({
        'a.txt': ['100644', 'one\ntwo\n'],
        'kept.log': 'deleted',
      });
      if (note === undefined) expect(patch.notes).toEqual([]);
      else expect(patch.notes).toContainEqual(expect.stringMatching(note));
    },
  );

  it('are no part of it where sandbox.setup made them, whoever tracks them', async () => {
    const commands = ['python3 -m venv --without-pip .venv', 'echo made > a.log; echo made > b.log'];
    const setup = { commands, timeout: 60, environment: {} };
    const request = sandboxRequest('tracked-setup', repository, { setup, python: '.venv' });
    const sandbox = await provider.connect(await provider.create(request));
    await shell(sandbox, 'echo own > c.log; echo changed > b.log; git add -f a.log b.log c.log; git commit -qm x');
    expect(applyPatch(folder.path, repository, await sandbox.patch())).toEqual({
      'b.log': ['100644', 'changed\n'],
      'c.log': ['100644', 'own\n'],
    });
  });
});

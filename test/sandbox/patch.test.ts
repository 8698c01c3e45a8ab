import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalProvider, type LocalProvider } from '../../src/sandbox/local/index.ts';
import type { Patch, Sandbox } from '../../src/sandbox/provider.ts';
import { sizedCases } from '../sizes.ts';
import {
  git,
  makeRepository,
  repositoryAt,
  runInside,
  sandboxRequest,
  shell,
  temporaryFolder,
  writeTree,
  type TestRepository,
} from './fixtures.ts';

const BINARY = Uint8Array.from({ length: 5000 }, (_, place) => (place * 7919) % 256);
/** Latin-1 text, one character a byte: é and ÿ alone are not UTF-8. */
const ODD_NAMES = [
  'with space.txt',
  'quote".txt',
  "apostrophe'.txt",
  'back\\slash.txt',
  'new\nline.txt',
  'tab\t.txt',
  '-leading-dash',
  '--help',
  'latin-1-\xe9.txt',
  'no-encoding-\xff\xfe.bin',
  'utf-8-\xc3\xa9.txt',
  'trailing space ',
  '*.glob',
  ':(top)magic',
  '!bang',
  '#hash',
  'a/b/c/deep.txt',
  '$(touch ran)',
  '.hidden',
];

describe('the patch', () => {
  const folder = temporaryFolder();
  let provider: LocalProvider;
  let count = 0;

  beforeAll(() => {
    provider = createLocalProvider({ stateDirectory: `${folder.path}/state`, cacheDirectory: `${folder.path}/cache` });
  });
  afterAll(async () => {
    for (const { handle } of await provider.list()) await provider.destroy(handle);
    await provider.close();
    folder.remove();
  });

  const newFolder = (): string => {
    count += 1;
    return join(folder.path, `repository-${count}`);
  };
  const sandboxOf = async (repository: TestRepository): Promise<Sandbox> => {
    count += 1;
    return provider.connect(await provider.create(sandboxRequest(`patch-${count}`, repository)));
  };

  /** Applies the patch to a fresh checkout of the commit; the tree that comes of it. */
  const applied = (repository: TestRepository, patch: Patch): string => {
    const index = newFolder();
    mkdirSync(index);
    git(index, ['init', '--quiet']);
    git(index, ['fetch', '--quiet', repository.path, repository.commit]);
    git(index, ['read-tree', repository.commit]);
    if (patch.bytes.length > 0)
      git(index, ['apply', '--cached', '--binary', '--whitespace=nowarn'], Buffer.from(patch.bytes));
    return git(index, ['ls-files', '--stage', '-z']).toString('latin1');
  };

  /** The same, found out without git: what lies in the sandbox's working folder. */
  const found = async (sandbox: Sandbox): Promise<string> => {
    const copy = newFolder();
    mkdirSync(copy);
    const packed = await sandbox.kernel.process({
      argv: ['tar', '--create', '--exclude=.git', '--file=-', '.'],
      cwd: sandbox.workspace,
    });
    writeFileSync(join(copy, 'packed.tar'), Buffer.from(packed.stdout, 'base64'));
    const tree = join(copy, 'tree');
    mkdirSync(tree);
    const { spawnSync } = await import('node:child_process');
    expect(spawnSync('tar', ['-xf', join(copy, 'packed.tar'), '-C', tree, '--no-same-owner']).status).toBe(0);
    return listTree(Buffer.from(tree));
  };

  const roundTrip = async (
    repository: TestRepository,
    change: (sandbox: Sandbox) => Promise<unknown>,
  ): Promise<Patch> => {
    const sandbox = await sandboxOf(repository);
    await change(sandbox);
    const patch = await sandbox.patch();
    expect(applied(repository, patch)).toBe(await found(sandbox));
    return patch;
  };

  it('carries new, changed and deleted files, modes and symlinks', async () => {
    const repository = makeRepository(newFolder(), {
      'changed.txt': 'one\ntwo\n',
      'deleted.txt': 'gone\n',
      'script.sh': '#!/bin/sh\n',
      'tool.sh': { executable: '#!/bin/sh\n' },
      link: { link: 'changed.txt' },
      'becomes-link': 'text\n',
      'becomes-folder': 'text\n',
      'folder/becomes-file': 'text\n',
      'moved/a': 'a long enough text to be seen as the same\n',
    });
    const patch = await roundTrip(repository, (sandbox) =>
      shell(
        sandbox,
        `echo three >> changed.txt; rm deleted.txt; chmod +x script.sh; chmod -x tool.sh; ln -sf elsewhere link
         rm becomes-link; ln -s /etc/passwd becomes-link; rm becomes-folder; mkdir becomes-folder; echo x > becomes-folder/x
         rm -r folder; echo y > folder; mv moved/a moved-a; printf no-newline-at-end > new.txt; : > empty; mkdir -p a/b; echo z > a/b/c`,
      ),
    );
    expect(patch.notes).toEqual([]);
  });

  it.each([
    'true',
    'git status',
    'cat a.txt',
    'touch a.txt',
    'mkdir empty',
    'echo x > new; rm new',
    'echo x > new',
    'mkdir -p one/two; echo x > one/two/new',
    'echo x >> a.txt',
    'cp a.txt b; echo x >> a.txt; cat b > a.txt; rm b',
    'rm a.txt',
    'chmod +x a.txt',
    'mv a.txt c.txt',
    'mv folder other',
    'rm -r folder; mkdir folder',
    'ln -s a.txt link',
    'git commit -q --allow-empty -m x',
    'echo x >> a.txt; git commit -qam x',
    'rm -rf .git',
  ])('is the same where it is told at once that there is none: %s', async (script) => {
    const repository = makeRepository(newFolder(), { 'a.txt': 'a\n', 'folder/b.txt': 'b\n' });
    const sandbox = await sandboxOf(repository);
    await shell(sandbox, script);
    const brief = await sandbox.patch(undefined, { brief: true });
    expect(Buffer.from(brief.bytes).toString()).toBe(Buffer.from((await sandbox.patch()).bytes).toString());
  });

  it('carries binary files, line ends and bytes that are no text', async () => {
    const repository = makeRepository(newFolder(), {
      'data.bin': BINARY,
      'dos.txt': 'one\r\ntwo\r\n',
      'mixed.txt': 'one\r\ntwo\n\rthree',
      'latin.txt': Buffer.from('caf\xe9\n', 'latin1'),
      'utf16.txt': Buffer.from('\ufeffwide\n', 'utf16le'),
      '.gitattributes': '*.txt text=auto\n',
    });
    await roundTrip(repository, (sandbox) =>
      runInside(sandbox, [
        'python3',
        '-c',
        `import os
data = bytearray(open("data.bin", "rb").read()); data[100:200] = os.urandom(100); open("data.bin", "wb").write(data)
open("new.bin", "wb").write(os.urandom(3000)); open("nul.txt", "wb").write(b"a\\0b\\n")
open("dos.txt", "ab").write(b"three\\r\\n"); open("mixed.txt", "ab").write(b"\\r\\n\\r")
open("latin.txt", "ab").write(b"na\\xefve\\n"); open("new-latin.txt", "wb").write(b"\\xe9\\xff\\r\\n")`,
      ]),
    );
  });

  it('carries names of any bytes', async () => {
    const repository = makeRepository(
      newFolder(),
      Object.fromEntries(ODD_NAMES.map((name) => [name, `text of ${name}\n`])),
    );
    const sandbox = await sandboxOf(repository);
    const script = `import os
for place, name in enumerate(sorted(os.listdir(b"."))):
    if name == b".git" or os.path.isdir(name): continue
    if place % 3 == 0: os.remove(name)
    elif place % 3 == 1: open(name, "ab").write(b"more\\n")
    else: os.rename(name, b"new " + name)
open("a/b/c/deep.txt", "a").write("deeper")`;
    expect(await runInside(sandbox, ['python3', '-c', script])).toMatchObject({ code: 0 });
    const patch = await sandbox.patch();
    expect(applied(repository, patch)).toBe(await found(sandbox));
    expect(patch.notes).toEqual([]);
  });

  it('applies with git apply in a clone of the user, whose files it then changes', async () => {
    const repository = makeRepository(newFolder(), { 'a.txt': 'one\n', 'b c.bin': BINARY });
    const sandbox = await sandboxOf(repository);
    await shell(
      sandbox,
      'echo two >> a.txt; head -c 100 "b c.bin" > "b c.bin.new"; mv "b c.bin.new" "b c.bin"; echo n > n',
    );
    const clone = newFolder();
    git(folder.path, ['clone', '--quiet', repository.path, clone]);
    git(clone, ['apply', '--index'], Buffer.from((await sandbox.patch()).bytes));
    expect(git(clone, ['ls-files', '--stage', '-z']).toString('latin1')).toBe(await found(sandbox));
  });

  it("leaves out what the repository ignores, and the code's own commits make no difference", async () => {
    const repository = makeRepository(newFolder(), {
      '.gitignore': '*.log\nbuild/\n',
      'kept.log': 'tracked all the same\n',
    });
    const sandbox = await sandboxOf(repository);
    await shell(
      sandbox,
      `mkdir build; touch build/x new.log; echo more >> kept.log; echo one > one; git add -A; git commit -qm one
       git checkout -q -b other; echo two > two; git add two; git commit -qm two; git reset -q --hard HEAD~1; echo three > three`,
    );
    const patch = Buffer.from((await sandbox.patch()).bytes).toString();
    expect(patch.match(/^diff --git .*$/gm)).toEqual([
      'diff --git a/kept.log b/kept.log',
      'diff --git a/one b/one',
      'diff --git a/three b/three',
    ]);
  });

  it('names what it cannot carry, and carries the rest', async () => {
    const repository = makeRepository(newFolder(), { 'a.txt': 'one\n', 'secret/b.txt': 'two\n', 'c.txt': 'three\n' });
    const sandbox = await sandboxOf(repository);
    await shell(
      sandbox,
      `mkfifo pipe; echo x > closed; chmod 0 closed; chmod 0 secret
       git init -q nested; touch nested/x; git init -q committed; git -C committed commit -q --allow-empty -m x
       mkdir plain; echo y > plain/.gitkeep; truncate -s 60M huge; echo more >> a.txt; rm c.txt; mkfifo c.txt`,
    );
    const { bytes, notes } = await sandbox.patch();
    expect(
      Buffer.from(bytes)
        .toString()
        .match(/^diff --git .*$/gm),
    ).toEqual(['diff --git a/a.txt b/a.txt', 'diff --git a/plain/.gitkeep b/plain/.gitkeep']);
    for (const [name, why] of [
      ['pipe', 'is a pipe'],
      ['c.txt', 'is a pipe'],
      ['closed', 'Permission denied'],
      ['secret', 'cannot be read'],
      ['nested', 'a git repository of its own'],
      ['committed', 'a git repository of its own'],
      ['huge', 'too large'],
    ]) {
      expect(notes).toContainEqual(expect.stringMatching(new RegExp(`${name}.*${why}`)));
    }
  });

  it('leaves the references to submodules as they are', async () => {
    const path = newFolder();
    const other = makeRepository(newFolder(), { x: 'x\n' });
    makeRepository(path, { 'a.txt': 'one\n' });
    git(path, ['update-index', '--add', '--cacheinfo', `160000,${other.commit},module`]);
    writeTree(path, { '.gitmodules': '[submodule "module"]\n\tpath = module\n\turl = https://localhost/none\n' });
    git(path, ['add', '.gitmodules']);
    git(path, ['commit', '--quiet', '--message', 'module']);
    const sandbox = await sandboxOf(repositoryAt(path));
    await shell(sandbox, 'cd module; git init -q; touch x; git add x; git commit -qm other; cd ..; echo two >> a.txt');
    const { bytes, notes } = await sandbox.patch();
    expect(
      Buffer.from(bytes)
        .toString()
        .match(/^diff --git .*$/gm),
    ).toEqual(['diff --git a/a.txt b/a.txt']);
    expect(notes).toEqual([expect.stringContaining('module is a submodule')]);
  });

  it('is taken from a sandbox whose disk is full', async () => {
    const repository = makeRepository(newFolder(), { 'a.txt': 'one\n' });
    const sandbox = await sandboxOf(repository);
    await shell(
      sandbox,
      'echo two >> a.txt; fallocate -l 2G /tmp/fill || fallocate -l 500M /tmp/fill; cp /dev/zero /tmp/rest || true',
    );
    expect(Buffer.from((await sandbox.patch()).bytes).toString()).toContain('+two');
  });

  describe('of a hostile repository', () => {
    const HOSTILE = {
      '.gitattributes':
        '* filter=evil diff=evil merge=evil ident text eol=crlf working-tree-encoding=UTF-16\n*.txt -diff\n*.bin binary\n',
      'ident.txt': '$Id$\n',
      'crlf.txt': 'one\r\ntwo\n',
      'a.txt': 'one\n',
      'sub/.gitattributes': '* filter=other -text\n[attr]evil -diff\n',
      'sub/b.bin': BINARY,
    };
    const RAN = '/tmp/something-ran';
    const EVIL = `
      printf '#!/bin/sh\\ntouch ${RAN}\\n' > /tmp/evil; chmod +x /tmp/evil; mkdir -p /tmp/hooks
      for hook in pre-commit post-checkout post-index-change reference-transaction fsmonitor-watchman; do cp /tmp/evil /tmp/hooks/$hook; cp /tmp/evil .git/hooks/$hook 2>/dev/null || { mkdir -p .git/hooks; cp /tmp/evil .git/hooks/$hook; }; done
      for name in clean smudge process; do git config filter.evil.$name /tmp/evil; git config filter.other.$name /tmp/evil; done
      git config filter.evil.required true; git config core.fsmonitor /tmp/evil; git config core.hooksPath /tmp/hooks
      git config diff.external /tmp/evil; git config diff.evil.textconv /tmp/evil; git config diff.evil.command /tmp/evil
      git config core.worktree /etc; git config core.pager /tmp/evil; git config core.sshCommand /tmp/evil
      git config core.autocrlf true; git config core.fileMode false; git config core.symlinks false; git config core.ignoreCase true
      git config diff.noprefix true; git config core.quotePath false; git config core.excludesFile /tmp/everything
      echo '*' > /tmp/everything; echo '*' > .git/info/exclude; echo '* -diff filter=evil' > .git/info/attributes
      printf '[diff]\\n\\texternal = /tmp/evil\\n[core]\\n\\tfsmonitor = /tmp/evil\\n' > ~/.gitconfig
      rm -f ${RAN}
    `;

    it('runs nothing and is true to the tree', async () => {
      const repository = makeRepository(newFolder(), HOSTILE);
      await roundTrip(repository, async (sandbox) => {
        await shell(
          sandbox,
          `${EVIL} echo two >> a.txt; printf 'x\\r\\n' >> crlf.txt; echo n > new.txt; chmod +x ident.txt; echo >> sub/b.bin`,
        );
        await sandbox.patch();
        expect(await shell(sandbox, `ls ${RAN} 2>&1 || true`)).toContain('No such file');
      });
    });

    const cases: readonly [string, string][] = [
      ['a deleted .git', 'rm -rf .git'],
      [
        'a .git that points elsewhere',
        'rm -rf .git; mkdir /tmp/other; git init -q /tmp/other; echo "gitdir: /tmp/other/.git" > .git',
      ],
      [
        'an index told to look away',
        'git update-index --assume-unchanged a.txt; git update-index --skip-worktree crlf.txt; echo x >> crlf.txt',
      ],
      ['replaced objects', 'git replace $(git rev-parse HEAD:a.txt) $(git rev-parse HEAD:crlf.txt)'],
      ['objects of its own', 'git gc -q --prune=now; rm -rf .git/objects/info'],
      ['dates set back', 'echo two > a.txt; touch -r sub/b.bin a.txt; git update-index --refresh || true'],
      ['attributes that define all names anew', 'printf "[attr]diff -text\\n* binary -diff\\n" >> .gitattributes'],
    ];
    const usual = ['a .git that points elsewhere', 'an index told to look away', 'replaced objects', 'dates set back'];
    it.each(sizedCases(usual, cases))('with %s', async (_, script) => {
      const repository = makeRepository(newFolder(), { 'a.txt': 'one\n', 'crlf.txt': 'x\r\n', 'sub/b.bin': BINARY });
      await roundTrip(repository, (sandbox) => shell(sandbox, `${script}; echo two >> a.txt`));
    });
  });
});

/** Every file below a folder as `git ls-files --stage -z` shows an index that holds it. */
function listTree(top: Buffer): string {
  const entries: [Buffer, string][] = [];
  const walk = (folder: Buffer, prefix: Buffer): void => {
    for (const name of readdirSync(folder, { encoding: 'buffer' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const shown = Buffer.concat([prefix, name]);
      const status = lstatSync(path);
      if (status.isDirectory()) walk(path, Buffer.concat([shown, Buffer.from('/')]));
      else {
        const content = status.isSymbolicLink() ? readlinkSync(path, { encoding: 'buffer' }) : readFileSync(path);
        const mode = status.isSymbolicLink() ? '120000' : (status.mode & 0o100) === 0 ? '100644' : '100755';
        const hash = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
        entries.push([shown, `${mode} ${hash} 0\t${shown.toString('latin1')}\0`]);
      }
    }
  };
  walk(top, Buffer.alloc(0));
  return entries
    .toSorted(([left], [right]) => Buffer.compare(left, right))
    .map(([, line]) => line)
    .join('');
}

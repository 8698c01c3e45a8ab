import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { removeAbandoned, removeTree } from '../../src/sandbox/host/scratch.ts';
import { createLocalProvider } from '../../src/sandbox/local/index.ts';
import { git, makeRepository, repositoryAt, sandboxRequest, temporaryFolder } from './fixtures.ts';

const folder = temporaryFolder();
afterAll(() => removeTree(folder.path));

/** 2,100 folders in each other: longer than any path may be. */
function deepTree(path: string): void {
  const code =
    'import os, sys\nos.makedirs(sys.argv[1]); os.chdir(sys.argv[1])\nfor _ in range(2100): os.mkdir("nested"); os.chdir("nested")\nopen("file", "w").close()';
  execFileSync('python3', ['-c', code, path]);
}

/** As git names a tree that holds one other. */
function hashOfTree(name: string, tree: string): string {
  const entry = Buffer.concat([Buffer.from(`40000 ${name}\0`), Buffer.from(tree, 'hex')]);
  return createHash('sha1').update(`tree ${entry.length}\0`).update(entry).digest('hex');
}

const GONE = `.new-999999999-1-${'0'.repeat(16)}`;

describe('a tree that is deeper than a path can say', () => {
  it('is removed', async () => {
    const path = join(folder.path, 'deep');
    deepTree(path);
    execFileSync('chmod', ['000', join(path, 'nested')]);
    await removeTree(path);
    expect(existsSync(path)).toBe(false);
  });

  it('in a commit fails that run, and no other', async () => {
    const place = join(folder.path, 'commit');
    const provider = createLocalProvider({
      stateDirectory: join(place, 'state'),
      cacheDirectory: join(place, 'cache'),
    });
    onTestFinished(() => provider.close());
    const repository = makeRepository(join(place, 'repository'), { 'a.txt': 'a\n' });
    // Trees that each hold the next, made without ever naming the path.
    let tree = git(repository.path, ['rev-parse', 'HEAD^{tree}']).toString().trim();
    const lines: string[] = [];
    for (let depth = 0; depth < 2100; depth += 1) {
      lines.push(`040000 tree ${tree}\tnested\n`);
      tree = hashOfTree('nested', tree);
    }
    const made = git(repository.path, ['mktree', '--batch', '--missing'], Buffer.from(lines.join('\n')));
    expect(made.toString().trim().split('\n').at(-1)).toBe(tree);
    const commit = git(repository.path, ['commit-tree', tree, '-m', 'deep']).toString().trim();
    git(repository.path, ['update-ref', 'refs/heads/main', commit]);
    await expect(provider.create(sandboxRequest('deep', repositoryAt(repository.path)))).rejects.toThrow();
    expect(await provider.list()).toEqual([]);
    const handle = await provider.create(sandboxRequest('flat', repository));
    await provider.destroy(handle);
    expect(readdirSync(join(place, 'cache', 'checkouts')).filter((name) => name.startsWith('.new'))).toEqual([]);
  }, 60_000);
});

describe('what cannot be removed', () => {
  it('stays under its hidden name, is named, and stops neither the others nor the sweep (skipped where no file can be made immutable)', async ({
    skip,
  }) => {
    const place = join(folder.path, 'stuck');
    const cache = join(place, 'cache');
    mkdirSync(join(cache, 'checkouts', GONE), { recursive: true });
    const file = join(cache, 'checkouts', GONE, 'file');
    writeFileSync(file, '');
    const other = join(cache, 'checkouts', GONE.replace('-1-', '-2-'));
    mkdirSync(other);
    if (spawnSync('chattr', ['+i', file]).status !== 0) skip();
    onTestFinished(() => void execFileSync('chattr', ['-i', file]));
    const logged: string[] = [];
    const provider = createLocalProvider({
      stateDirectory: join(place, 'state'),
      cacheDirectory: cache,
      log: (line) => logged.push(line),
    });
    onTestFinished(() => provider.close());
    expect(await provider.list()).toEqual([]);
    expect(await provider.list()).toEqual([]);
    expect(logged).toEqual([
      expect.stringContaining(`${join(cache, 'checkouts', GONE)} is of no use any more and could not be removed`),
    ]);
    expect(existsSync(other)).toBe(false);
    renameSync(join(cache, 'checkouts', GONE), join(cache, 'checkouts', GONE.replace('-1-', '-3-')));
    expect(await removeAbandoned(join(cache, 'checkouts'))).toMatchObject([
      { why: expect.stringContaining('not permitted') },
    ]);
    renameSync(join(cache, 'checkouts', GONE.replace('-1-', '-3-')), join(cache, 'checkouts', GONE));
  });
});

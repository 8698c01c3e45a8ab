import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makePrivateFolder } from '../../src/files/private-folder.ts';
import { temporaryFolder } from '../sandbox/fixtures.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('a private folder', () => {
  const folder = temporaryFolder();
  let count = 0;
  const fresh = (): string => `${folder.path}/private-${(count += 1)}`;
  afterAll(() => folder.remove());

  it('is made with all that is missing above it, and whatever the umask only this user can enter', () => {
    const path = `${fresh()}/a/b`;
    const script = `import { makePrivateFolder } from '${import.meta.dirname}/../../src/files/private-folder.ts';
      process.umask(0); makePrivateFolder(process.argv[1]);`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script, path]);
    for (const made of [path, dirname(path), dirname(dirname(path))]) expect(modeOf(made)).toBe('700');
  });

  it('that was open to others is closed, whoever opened it', () => {
    const path = fresh();
    mkdirSync(path);
    chmodSync(path, 0o777);
    makePrivateFolder(path);
    expect(modeOf(path)).toBe('700');
  });

  it('is not another user’s', ({ skip }) => {
    if (process.getuid?.() !== 0) skip('only root can give a folder away');
    const path = fresh();
    mkdirSync(path);
    chownSync(path, 61_005, 61_005);
    expect(() => makePrivateFolder(path)).toThrow(
      expect.objectContaining({ type: 'Input.Invalid', message: expect.stringMatching(/user 61005.*DURABLE_RLM_/) }),
    );
  });

  it('is no symbolic link and no file', () => {
    const [target, link, file] = [fresh(), fresh(), fresh()];
    mkdirSync(target);
    symlinkSync(target, link);
    writeFileSync(file, '');
    expect(() => makePrivateFolder(link)).toThrow(/symbolic link/);
    expect(() => makePrivateFolder(file)).toThrow(/not a folder/);
    expect(modeOf(target)).toBe('755');
  });

  it('may lie behind a symbolic link', () => {
    const [target, link] = [fresh(), fresh()];
    mkdirSync(target);
    symlinkSync(target, link);
    makePrivateFolder(`${link}/inside`);
    expect(modeOf(`${target}/inside`)).toBe('700');
  });
});

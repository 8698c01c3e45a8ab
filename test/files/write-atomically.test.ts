import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { writeAtomically, writeAtomicallySync } from '../../src/files/write-atomically.ts';
import { temporaryFolder } from '../sandbox/fixtures.ts';

describe.each([
  ['written at once', (file: string, content: string) => writeAtomically(file, content)],
  ['written synchronously', async (file: string, content: string) => writeAtomicallySync(file, content)],
])('a file %s', (_, write) => {
  const folder = temporaryFolder();
  let count = 0;
  const freshFolder = (): string => {
    const path = `${folder.path}/${(count += 1)}`;
    mkdirSync(path);
    return path;
  };
  afterAll(() => folder.remove());

  it('can be read by its owner only, also where it replaces one that others could read', async () => {
    const file = `${freshFolder()}/file`;
    writeFileSync(file, 'old');
    chmodSync(file, 0o644);
    await write(file, 'new');
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
  });

  it('is always one of those that were written, however many write', async () => {
    const place = freshFolder();
    const contents = Array.from({ length: 20 }, (__, at) => String(at % 10).repeat(100_000));
    await Promise.all(contents.map((content) => write(`${place}/file`, content)));
    expect(contents).toContain(readFileSync(`${place}/file`, 'utf8'));
    expect(readdirSync(place)).toEqual(['file']);
  });

  it('that cannot be written leaves nothing behind', async () => {
    const place = freshFolder();
    mkdirSync(`${place}/taken/inside`, { recursive: true });
    await expect(write(`${place}/taken`, 'new')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(place)).toEqual(['taken']);
  });
});

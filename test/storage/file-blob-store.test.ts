import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { describeBlobStore } from './conformance.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'blobs-'));
});
afterEach(() => rm(path, { recursive: true, force: true }));

const digits = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

describeBlobStore('files', async () => {
  const folder = join(path, 'blobs');
  const names = async (): Promise<string[]> => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  };
  return {
    store: createFileBlobStore({ path: folder }),
    other: createFileBlobStore({ path: folder }),
    names,
    async damage(hash, bytes) {
      const hex = Buffer.from(hash, 'base64url').toString('hex');
      await writeFile(join(folder, 'objects', hex.slice(0, 2), hex.slice(2)), bytes);
    },
    close: () => Promise.resolve(),
  };
});

describe('files of blobs', () => {
  it('are named by the hexadecimal digits of their hash', async () => {
    await createFileBlobStore({ path }).put(Buffer.from('hello'));
    expect(await readdir(join(path, 'objects', digits.slice(0, 2)))).toEqual([digits.slice(2)]);
  });

  it('cannot be kept where the folder cannot be written: unavailable, with the way on', async () => {
    const file = join(path, 'file');
    await writeFile(file, '');
    const store = createFileBlobStore({ path: join(file, 'below') });
    await expect(store.put(Buffer.from('hello'))).rejects.toMatchObject({ type: 'Storage.Unavailable' });
    await expect(store.check()).rejects.toMatchObject({ type: 'Storage.Unavailable' });
  });
});

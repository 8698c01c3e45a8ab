import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'blobs-'));
});
afterEach(() => rm(path, { recursive: true, force: true }));

const bytes = Buffer.from('hello');
const digits = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
const hash = Buffer.from(digits, 'hex').toString('base64url');
const objectFile = (): string => join(path, 'objects', digits.slice(0, 2), digits.slice(2));

describe('blobs', () => {
  it('are named by their SHA-256 and read back', async () => {
    const store = createFileBlobStore({ path });
    expect(await store.put(bytes)).toBe(hash);
    expect(Buffer.from(await store.get(hash))).toEqual(bytes);
    expect(await store.has(hash)).toBe(true);
    expect(await text(await store.open(hash))).toBe('hello');
  });

  it('are stored once, also when written at the same time by several stores', async () => {
    const stores = [createFileBlobStore({ path }), createFileBlobStore({ path })];
    const hashes = await Promise.all(Array.from({ length: 40 }, async (_, i) => stores[i % 2]?.put(bytes)));
    expect(new Set(hashes)).toEqual(new Set([hash]));
    const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files).toHaveLength(1);
  });

  it('may come as a stream', async () => {
    const store = createFileBlobStore({ path });
    expect(await store.putStream(Readable.from([Buffer.from('hel'), Buffer.from('lo')]))).toEqual({ hash, size: 5 });
    expect(Buffer.from(await store.get(hash))).toEqual(bytes);
  });

  it('leave nothing behind when their stream fails', async () => {
    const store = createFileBlobStore({ path });
    const failing = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('cut');
      })(),
    );
    await expect(store.putStream(failing)).rejects.toThrow('cut');
    expect(await readdir(join(path, 'temporary'))).toEqual([]);
  });

  it('that are missing are named, with what may be wrong', async () => {
    await expect(createFileBlobStore({ path }).get(hash)).rejects.toMatchObject({
      type: 'Storage.Missing',
      message: expect.stringContaining(hash) as string,
    });
  });

  it('that are damaged are detected by their hash and named, read whole or as a stream', async () => {
    const store = createFileBlobStore({ path });
    await store.put(bytes);
    await writeFile(objectFile(), 'hellO');
    const damaged = { type: 'Storage.Damaged', message: expect.stringContaining(hash) as string };
    await expect(store.get(hash)).rejects.toMatchObject(damaged);
    await expect(text(await store.open(hash))).rejects.toMatchObject(damaged);
  });

  it('are not looked for outside of the store, whatever the name', async () => {
    await expect(createFileBlobStore({ path }).get('../../../etc/passwd')).rejects.toMatchObject({
      type: 'Storage.Missing',
    });
  });

  it('cannot be kept where the folder cannot be written: unavailable, with the way on', async () => {
    const file = join(path, 'file');
    await writeFile(file, '');
    await expect(createFileBlobStore({ path: join(file, 'below') }).put(bytes)).rejects.toMatchObject({
      type: 'Storage.Unavailable',
    });
  });
});

describe('references', () => {
  it('hold JSON values under names of any characters', async () => {
    const store = createFileBlobStore({ path });
    const names = ['runs/a@b/0', 'runs/a@b/0.1', 'runs/a b:ü@x/..', 'runs/a@b/%2E'];
    for (const [index, name] of names.entries()) await store.setReference(name, { index });
    expect((await store.listReferences('runs/')).toSorted()).toEqual(names.toSorted());
    expect((await store.listReferences('runs/a@')).toSorted()).toEqual(
      names.filter((name) => name.startsWith('runs/a@')).toSorted(),
    );
    for (const [index, name] of names.entries()) expect(await store.getReference(name)).toEqual({ index });
  });

  it('are undefined where there is none', async () => {
    const store = createFileBlobStore({ path });
    expect(await store.getReference('runs/none')).toBeUndefined();
    expect(await store.listReferences('runs/')).toEqual([]);
  });

  it('are replaced as a whole: a reader never sees half of one', async () => {
    const store = createFileBlobStore({ path });
    const values = ['a'.repeat(50_000), 'b'.repeat(50_000)];
    await store.setReference('x', values[0]);
    const writing = (async () => {
      for (let i = 0; i < 50; i += 1) await store.setReference('x', values[i % 2]);
    })();
    for (let i = 0; i < 200; i += 1) expect(values).toContain(await store.getReference('x'));
    await writing;
  });

  it('keep to the folder of references', async () => {
    const store = createFileBlobStore({ path });
    await store.setReference('../../x', 1);
    expect(await readFile(join(path, 'references', '%2E%2E', '%2E%2E', 'x.json'), 'utf8')).toBe('1');
  });
});

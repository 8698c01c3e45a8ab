import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, link, mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryName } from '../../src/files/abandoned-files.ts';
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
  const file = (hash: string): string => {
    const hex = Buffer.from(hash, 'base64url').toString('hex');
    return join(folder, 'objects', hex.slice(0, 2), hex.slice(2));
  };
  return {
    store: createFileBlobStore({ path: folder }),
    other: createFileBlobStore({ path: folder }),
    location: { storage: { driver: 'file', path: folder } },
    names,
    damage: (hash, bytes) => writeFile(file(hash), bytes),
    date: (hash, written) => utimes(file(hash), written, written),
    close: () => Promise.resolve(),
  };
});

describe('files of blobs', () => {
  it('are named by the hexadecimal digits of their hash', async () => {
    await createFileBlobStore({ path }).put(Buffer.from('hello'));
    expect(await readdir(join(path, 'objects', digits.slice(0, 2)))).toEqual([digits.slice(2)]);
  });

  it('whose deletion was cut off in the middle are there again for the next look at the store', async () => {
    const store = createFileBlobStore({ path });
    const hash = await store.put(Buffer.from('hello'));
    await mkdir(join(path, 'temporary'), { recursive: true });
    await rename(
      join(path, 'objects', digits.slice(0, 2), digits.slice(2)),
      join(path, 'temporary', `deleted-${digits}`),
    );
    expect(await store.has(hash)).toBe(false);
    const found: string[] = [];
    for await (const blob of store.list()) found.push(blob.hash);
    expect(found).toEqual([hash]);
    expect(Buffer.from(await store.get(hash)).toString()).toBe('hello');
    expect(await readdir(join(path, 'temporary'))).toEqual([]);
  });

  it('that a killed process was writing are removed when the store is next looked at, and no others', async () => {
    const script = `
      const { temporaryName } = await import(process.argv[1]);
      require('node:fs').writeFileSync(require('node:path').join(process.argv[2], temporaryName()), 'half');`;
    const names = new URL('../../src/files/abandoned-files.ts', import.meta.url).href;
    const temporary = join(path, 'temporary');
    await mkdir(temporary);
    execFileSync(process.execPath, ['--no-warnings', '-e', `void (async () => {${script}})()`, names, temporary]);
    const ofAnotherHost = `${'0'.repeat(12)}-1-1-${randomUUID()}`;
    const others = [temporaryName(), `deleted-${digits}`, ofAnotherHost];
    for (const name of others) await writeFile(join(temporary, name), 'half');
    expect(await readdir(temporary)).toHaveLength(4);
    await createFileBlobStore({ path }).check();
    expect((await readdir(temporary)).toSorted()).toEqual(others.toSorted());
    const old = new Date(Date.now() - 2 * 86_400_000);
    for (const name of others) await utimes(join(temporary, name), old, old);
    await createFileBlobStore({ path }).check();
    expect((await readdir(temporary)).toSorted()).toEqual(others.slice(0, 2).toSorted());
  });

  it('of references: a version stays until its writer has seen that it was first, and so do those after it', async () => {
    const store = createFileBlobStore({ path });
    const versions = async (): Promise<string[]> => (await readdir(join(path, 'references', 'x'))).toSorted();
    const temporary = join(path, 'temporary', temporaryName());
    await store.setReference('x', 1);
    // As a writer leaves it that is stopped between the two.
    await writeFile(temporary, JSON.stringify({ id: 'id', after: null, value: 2 }));
    await link(temporary, join(path, 'references', 'x', '@2.json'));
    for (const value of [3, 4, 5, 6]) await store.setReference('x', value);
    expect(await versions()).toEqual(['@2.json', '@3.json', '@4.json', '@5.json', '@6.json']);
    await rm(temporary);
    await store.setReference('x', 7);
    expect(await versions()).toEqual(['@6.json', '@7.json']);
    expect(await createFileBlobStore({ path }).getReference('x')).toBe(7);
  });

  it('of a reference that is no JSON are named', async () => {
    const store = createFileBlobStore({ path });
    await store.setReference('x', 1);
    await writeFile(join(path, 'references', 'x', '@1.json'), '{"id":');
    await expect(store.getReference('x')).rejects.toMatchObject({
      type: 'Storage.Damaged',
      message: expect.stringContaining('references/x/@1.json') as string,
    });
  });

  it('cannot be kept where the folder cannot be written: unavailable, with the way on', async () => {
    const file = join(path, 'file');
    await writeFile(file, '');
    const store = createFileBlobStore({ path: join(file, 'below') });
    await expect(store.put(Buffer.from('hello'))).rejects.toMatchObject({ type: 'Storage.Unavailable' });
    await expect(store.check()).rejects.toMatchObject({ type: 'Storage.Unavailable' });
  });
});

describe('files of journals', () => {
  const file = (): string => join(path, 'journals', 'run%401', '0', 'a.jsonl');

  it('hold an entry before its promise resolves', async () => {
    const journal = await createFileBlobStore({ path }).openJournal('run@1/0/a');
    const appended = journal.append({ index: 0 });
    expect(readFileSync(file(), 'utf8')).toContain('{"index":0}\n');
    await appended;
    await journal.close();
  });

  it('that end in a torn line lose that entry and no other', async () => {
    const store = createFileBlobStore({ path });
    const journal = await store.openJournal('run@1/0/a');
    await journal.append({ index: 0 });
    await journal.close();
    await appendFile(file(), '{"index":1,"te');
    const torn = await store.openJournal('run@1/0/a');
    expect(torn.entries).toEqual([{ index: 0 }]);
    await torn.append({ index: 2 });
    await torn.close();
    const again = await store.openJournal('run@1/0/a');
    expect(again.entries).toEqual([{ index: 0 }, { index: 2 }]);
    await again.close();
  });

  it('refuse an entry of which the disk takes only a part; what comes after it is read', async () => {
    const append = (bytes: number): string => `
      import { createFileBlobStore } from ${JSON.stringify(new URL('../../src/storage/file-blob-store.ts', import.meta.url).href)};
      const journal = await createFileBlobStore({ path: ${JSON.stringify(path)} }).openJournal('paid');
      await journal.append('x'.repeat(${bytes})).catch((error) => console.log('refused:', error.message));
      console.log(journal.entries.length);`;
    // The shell's limit of the size of a file stands in for the end of a disk: a write is cut off there.
    const run = (bytes: number, limit: string): string =>
      execFileSync(
        'sh',
        ['-c', `${limit} exec "$0" --input-type=module-typescript -e "$1"`, process.execPath, append(bytes)],
        {
          encoding: 'utf8',
        },
      );
    expect(run(3000, 'ulimit -f 4;')).toMatch(/^refused: .*EFBIG[^]*\n0\n$/);
    expect(run(30, '')).toBe('0\n');
    expect(run(30, '')).toBe('1\n');
  });
});

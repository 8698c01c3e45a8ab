import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCodecServer } from '../../src/encryption/codec-server.ts';
import { encryptBlobStore, refuseEncryptedBlobs } from '../../src/storage/encrypted-blob-store.ts';
import { KEY_VARIABLE, readEncryptionKeys, type EncryptionKeys } from '../../src/encryption/keys.ts';
import { createPayloadCodec, refuseEncryptedPayloads } from '../../src/encryption/payload-codec.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'rlm-encryption-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const newKey = (): string => randomBytes(32).toString('base64');
function keysOf(value: string): EncryptionKeys {
  const keys = readEncryptionKeys({ [KEY_VARIABLE]: value });
  if (keys === undefined) throw new Error('there is no key');
  return keys;
}
const [first, second] = [newKey(), newKey()];
const CANARY = 'canary-of-the-contents';

/** Every byte below a folder. */
function everything(path: string): string {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${name}\n${readFileSync(join(parentPath, name), 'latin1')}`)
    .join('\n');
}

describe('the key', () => {
  it('is optional, and may be of base64 or hexadecimal digits', () => {
    expect(readEncryptionKeys({})).toBeUndefined();
    expect(readEncryptionKeys({ [KEY_VARIABLE]: '' })).toBeUndefined();
    const hex = Buffer.from(first, 'base64').toString('hex');
    expect(keysOf(hex).current.id).toBe(keysOf(first).current.id);
  });

  it.each(['short', 'x'.repeat(40), newKey().slice(4), 'pass word '.repeat(5)])(
    'is refused without repeating it: %j',
    (value) => {
      expect(() => keysOf(value)).toThrow(
        /must hold a key of 32 bytes in base64, such as openssl rand -base64 32 prints/,
      );
      expect(() => keysOf(value)).not.toThrow(value);
    },
  );
});

describe('an encrypted blob store', () => {
  const path = join(folder, 'blobs');
  const plain = createFileBlobStore({ path });
  const store = encryptBlobStore(plain, keysOf(first));

  it.each([0, 1, 1000, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])(
    'gives %i bytes back, as they are and as a stream',
    async (size) => {
      const bytes = randomBytes(size);
      const hash = await store.put(bytes);
      const streamed = await store.putStream(Readable.from([bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)]));
      // The same bytes are stored once, however they come.
      expect(streamed).toEqual({ hash, size });
      expect(Buffer.from(await store.get(hash)).equals(bytes)).toBe(true);
      expect((await buffer(await store.open(hash))).equals(bytes)).toBe(true);
    },
  );

  it('keeps contents, references and journals from whoever has the files', async () => {
    const hash = await store.put(Buffer.from(CANARY));
    await store.setReference('runs/a', { task: CANARY });
    const journal = await store.openJournal('journal/a');
    await journal.append({ answer: CANARY });
    await journal.close();
    expect(everything(path)).not.toContain(CANARY);
    expect(everything(path)).not.toContain(Buffer.from(CANARY).toString('base64').slice(2, -4));
    expect(Buffer.from(await store.get(hash)).toString()).toBe(CANARY);
    expect(await store.getReference('runs/a')).toEqual({ task: CANARY });
    expect((await store.openJournal('journal/a')).entries).toEqual([{ answer: CANARY }]);
    const current = await store.readReference('runs/a');
    expect(await store.swapReference('runs/a', 2, 'another version')).toMatchObject({
      kind: 'conflict',
      current: { value: { task: CANARY } },
    });
    expect(await store.swapReference('runs/a', 2, current?.version ?? null)).toMatchObject({ kind: 'swapped' });
  });

  it('reads with an older key, and says which one is missing', async () => {
    const hash = await store.put(Buffer.from('of the first key'));
    const rotated = encryptBlobStore(plain, keysOf(`${second},${first}`));
    expect(Buffer.from(await rotated.get(hash)).toString()).toBe('of the first key');
    const other = encryptBlobStore(plain, keysOf(second));
    await expect(other.get(hash)).rejects.toThrow(
      `is encrypted with the key ${keysOf(first).current.id}, which this process does not have`,
    );
    await expect(buffer(await other.open(hash))).rejects.toThrow('does not have');
  });

  it('reads what was stored before there was a key', async () => {
    const hash = await plain.put(Buffer.from('plain'));
    expect(Buffer.from(await store.get(hash)).toString()).toBe('plain');
    expect((await buffer(await store.open(hash))).toString()).toBe('plain');
  });

  it('says which key is missing to a process that has none', async () => {
    const without = refuseEncryptedBlobs(plain);
    const missing = `is encrypted with the key ${keysOf(first).current.id}, which this process does not have`;
    await expect(without.get(await store.put(Buffer.from(CANARY)))).rejects.toThrow(missing);
    await store.setReference('runs/b', { task: CANARY });
    await expect(without.getReference('runs/b')).rejects.toThrow(missing);
    const journal = await store.openJournal('journal/b');
    await journal.append({ answer: CANARY });
    await journal.close();
    await expect(without.openJournal('journal/b')).rejects.toThrow(missing);
    // What is not encrypted is read and written as before.
    await without.setReference('runs/c', { task: 'plain' });
    expect(await plain.getReference('runs/c')).toEqual({ task: 'plain' });
    expect(Buffer.from(await without.get(await without.put(Buffer.from('plain')))).toString()).toBe('plain');
  });

  it('refuses bytes that were changed, cut or put into another order', async () => {
    const stored = Buffer.from(await plain.get(await store.put(randomBytes(3_000_000))));
    const part = 1024 * 1024 + 28;
    const flipped = Buffer.from(stored);
    flipped[2_000_000] = (flipped[2_000_000] ?? 0) ^ 1;
    const swapped = Buffer.concat([
      stored.subarray(0, 16),
      stored.subarray(16 + part, 16 + 2 * part),
      stored.subarray(16, 16 + part),
      stored.subarray(16 + 2 * part),
    ]);
    for (const bytes of [flipped, stored.subarray(0, 16 + 2 * part), stored.subarray(0, -1), swapped]) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      const hash = await plain.put(bytes);
      // oxlint-disable-next-line no-await-in-loop
      await expect(store.get(hash)).rejects.toThrow('cannot be decrypted');
      // oxlint-disable-next-line no-await-in-loop
      await expect(buffer(await store.open(hash))).rejects.toThrow('cannot be decrypted');
    }
  });
});

describe('the codec of payloads', () => {
  const codec = createPayloadCodec(keysOf(first));
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${CANARY}"`) };

  it('encrypts data and metadata, and leaves alone what is not encrypted', async () => {
    const [encoded = {}] = await codec.encode([payload]);
    expect(Buffer.from(encoded.metadata?.['encoding'] ?? []).toString()).toBe('binary/encrypted');
    expect(Buffer.from(encoded.data ?? []).toString('latin1')).not.toContain(CANARY);
    const [decoded = {}] = await codec.decode([encoded]);
    expect(Buffer.from(decoded.data ?? []).toString()).toBe(`"${CANARY}"`);
    expect(Buffer.from(decoded.metadata?.['encoding'] ?? []).toString()).toBe('json/plain');
    expect(await codec.decode([payload])).toEqual([payload]);
    await expect(async () => createPayloadCodec(keysOf(second)).decode([encoded])).rejects.toThrow('does not have');
  });

  it('says which key is missing to a process that has none', async () => {
    const [encoded = {}] = await codec.encode([payload]);
    await expect(refuseEncryptedPayloads.decode([payload, encoded])).rejects.toThrow(
      `A payload in Temporal is encrypted with the key ${keysOf(first).current.id}, which this process does not have: put it into ${KEY_VARIABLE}.`,
    );
    expect(await refuseEncryptedPayloads.decode(await refuseEncryptedPayloads.encode([payload]))).toEqual([payload]);
  });

  it("is served to Temporal's own tools, to who shows the token", async () => {
    const server = await startCodecServer(codec, { port: 0, token: 'the-token' });
    onTestFinished(() => server.close());
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const [encoded = {}] = await codec.encode([payload]);
    const metadata = Object.fromEntries(
      Object.entries(encoded.metadata ?? {}).map(([name, value]) => [name, base64(value)]),
    );
    const ask = (path: string, authorization?: string): Promise<Response> =>
      fetch(server.url + path, {
        method: 'POST',
        body: JSON.stringify({ payloads: [{ metadata, data: base64(encoded.data ?? new Uint8Array()) }] }),
        headers: authorization === undefined ? {} : { authorization },
      });
    // A query without arguments: what has no entries is left out of protobuf's JSON.
    const empty = await fetch(`${server.url}/encode`, {
      method: 'POST',
      body: '{}',
      headers: { authorization: 'Bearer the-token' },
    });
    expect([empty.status, await empty.json()]).toEqual([200, { payloads: [] }]);
    expect((await ask('/decode')).status).toBe(401);
    expect((await ask('/decode', 'Bearer another')).status).toBe(401);
    expect((await ask('/else', 'Bearer the-token')).status).toBe(404);
    const decoded = await ask('/decode', 'Bearer the-token');
    expect(await decoded.json()).toEqual({
      payloads: [{ metadata: { encoding: base64(Buffer.from('json/plain')) }, data: base64(payload.data) }],
    });
  });
});

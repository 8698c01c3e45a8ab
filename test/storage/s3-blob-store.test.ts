import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { createS3BlobStore } from '../../src/storage/s3-blob-store.ts';
import { describeBlobStore } from './conformance.ts';
import { startFaultyProxy, type Fault, type FaultyProxy } from './faulty-proxy.ts';
import { findS3Gateway, freePort, SECRET_KEY, startS3Server, type S3Server } from './s3-server.ts';

const gateway = await findS3Gateway();
if (gateway === undefined)
  console.log('skipped: no versitygw is at hand, so the S3 store is not tested (npm run test:long builds one with Go)');

describe.skipIf(gateway === undefined)('with a real S3-compatible server', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
  });
  afterAll(() => server.close());

  const look = async (store: BlobStore): Promise<string> => {
    const error = await store.check().then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toMatchObject({ type: 'Storage.Unavailable' });
    return (error as Error).message;
  };

  /** Begun before all tests: nothing but time passes in it. */
  let silence: Promise<{ message: string; isInTime: boolean }>;
  const silent = createServer(() => undefined);
  beforeAll(async () => {
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const bound = silent.address();
    const endpoint = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
    const began = performance.now();
    silence = look(open('any', endpoint)).then(
      (message) => ({ message, isInTime: performance.now() - began < 10_000 }),
      (error: unknown) => ({ message: String(error), isInTime: false }),
    );
  });
  afterAll(() => void silent.close());

  let buckets = 0;
  function newBucket(): string {
    const bucket = `bucket-${++buckets}`;
    server.createBucket(bucket);
    return bucket;
  }
  const open = (bucket: string, endpoint = server.endpoint, env: NodeJS.ProcessEnv = server.env): BlobStore =>
    createS3BlobStore({ place: { bucket, endpoint, prefix: 'some/where' }, env });

  async function names(bucket: string): Promise<string[]> {
    const folder = join(server.folder, bucket);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  }

  describeBlobStore('S3', () => {
    const bucket = newBucket();
    const file = (hash: string): string => {
      const hex = Buffer.from(hash, 'base64url').toString('hex');
      return join(server.folder, bucket, 'some/where/objects', hex.slice(0, 2), hex.slice(2));
    };
    return Promise.resolve({
      store: open(bucket),
      other: open(bucket),
      location: {
        storage: { driver: 's3', bucket, endpoint: server.endpoint, prefix: 'some/where' },
        env: server.env,
      },
      names: () => names(bucket),
      damage: (hash, bytes) => writeFile(file(hash), bytes),
      date: (hash, written) => utimes(file(hash), written, written),
      close: () => Promise.resolve(),
    });
  });

  it('names blobs as the file store does: a copied folder of them is the same', async () => {
    const bucket = newBucket();
    const path = await mkdtemp(join(tmpdir(), 'blobs-'));
    onTestFinished(() => rm(path, { recursive: true, force: true }));
    const hash = await createFileBlobStore({ path }).put(Buffer.from('moved'));
    await cp(path, join(server.folder, bucket), { recursive: true });
    const moved = createS3BlobStore({ place: { bucket, endpoint: server.endpoint }, env: server.env });
    expect(Buffer.from(await moved.get(hash)).toString()).toBe('moved');
  });

  describe('faults on the way', () => {
    async function behindProxy(): Promise<{ proxy: FaultyProxy; store: BlobStore; bucket: string }> {
      const proxy = await startFaultyProxy(server.port);
      onTestFinished(() => proxy.close());
      return { proxy, store: open(newBucket(), proxy.endpoint), bucket: `bucket-${buckets}` };
    }

    it('that pass are waited out: 503, 500, 429 and cut connections', async () => {
      const { proxy, store } = await behindProxy();
      const hash = await store.put(Buffer.from('kept'));
      proxy.fail('PUT', [{ status: 503 }, 'cut', { status: 500 }]);
      proxy.fail('GET', ['cut', { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }, { status: 429 }]);
      const [kept] = await Promise.all([store.get(hash), store.put(Buffer.from('new'))]);
      expect(Buffer.from(kept).toString()).toBe('kept');
      expect(await store.has(hash)).toBe(true);
      expect(proxy.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(5);
      expect(proxy.requests.filter((line) => line.startsWith('GET'))).toHaveLength(4);
    });

    it('a body that breaks off continues where it stopped, whole or as a stream', async () => {
      const { proxy, store } = await behindProxy();
      const bytes = randomBytes(3_000_000);
      const hash = await store.put(bytes);
      proxy.fail('GET', [{ cutAfter: 1_000_000 }, { cutAfter: 500_000 }]);
      expect(bytes.equals(await store.get(hash))).toBe(true);
      proxy.fail('GET', [{ cutAfter: 10 }]);
      expect(bytes.equals(await buffer(await store.open(hash)))).toBe(true);
    });

    it('a part of a large blob that fails is sent again, and only that part', async () => {
      const { proxy, store } = await behindProxy();
      const bytes = randomBytes(20_000_000);
      proxy.fail('PUT', ['cut', { status: 503 }]);
      const { hash } = await store.putStream(Readable.from([bytes.subarray(0, 9_000_000), bytes.subarray(9_000_000)]));
      expect(bytes.equals(await store.get(hash))).toBe(true);
      expect(proxy.requests.filter((line) => line.includes('partNumber='))).toHaveLength(5);
    });

    it('a blob that is there already is not sent again as a stream', async () => {
      const { proxy, store } = await behindProxy();
      await store.put(Buffer.from('once'));
      await store.putStream(Readable.from([Buffer.from('once')]));
      expect(proxy.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(1);
    });

    it('that stay are an error with the way on', async () => {
      const { proxy, bucket } = await behindProxy();
      const place = { bucket, endpoint: proxy.endpoint };
      const store = createS3BlobStore({ place, env: server.env, attempts: 3 });
      proxy.fail('PUT', [{ status: 503 }, { status: 503 }, { status: 503 }]);
      await expect(store.put(Buffer.from('x'))).rejects.toMatchObject({
        type: 'Storage.Unavailable',
        message: expect.stringMatching(/503.*asked again/) as string,
      });
    });

    describe('while a reference is swapped', () => {
      const conflict: Fault = { status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' };

      it('a reply that is lost: the write counts as what it was, a success', async () => {
        const { proxy, store } = await behindProxy();
        for (const expected of [null, 'read'] as const) {
          proxy.fail('PUT', ['lose-reply']);
          const version = expected === null ? null : ((await store.readReference('x'))?.version ?? null);
          const outcome = await store.swapReference('x', { expected }, version);
          expect(await store.readReference('x')).toEqual({
            value: { expected },
            version: outcome.kind === 'swapped' && outcome.version,
          });
        }
        expect(proxy.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(4);
      });

      it('a reply that is lost, and another write right after it: a success, and what it gave expects nothing', async () => {
        const { proxy, store, bucket } = await behindProxy();
        const first = await store.swapReference('x', 1, null);
        proxy.fail('PUT', ['lose-reply', 'hang']);
        const swapping = store.swapReference('x', 2, first.kind === 'swapped' ? first.version : null);
        await proxy.requested('PUT', 3);
        await open(bucket).setReference('x', 3);
        proxy.cutHanging();
        const outcome = await swapping;
        expect(outcome.kind).toBe('swapped');
        const next = await store.swapReference('x', 4, outcome.kind === 'swapped' ? outcome.version : null);
        expect(next).toMatchObject({ kind: 'conflict', current: { value: 3 } });
      });

      it('409 (another conditional write was under way) is tried again as long as nothing has changed', async () => {
        const { proxy, store } = await behindProxy();
        proxy.fail('PUT', [conflict, conflict]);
        expect(await store.swapReference('x', 1, null)).toMatchObject({ kind: 'swapped' });
        expect(await store.getReference('x')).toBe(1);
      });

      it('409 without an end is an error with the way on', async () => {
        const { proxy, store } = await behindProxy();
        proxy.fail(
          'PUT',
          Array.from({ length: 10 }, () => conflict),
        );
        await expect(store.swapReference('x', 1, null)).rejects.toMatchObject({ type: 'Storage.Unavailable' });
      });

      it('an ETag that belongs to other bytes is not believed', async () => {
        const { proxy, store } = await behindProxy();
        await store.setReference('x', 1);
        proxy.fail('GET', [{ status: 200, headers: { ETag: `"${'0'.repeat(32)}"` }, body: '{"id":"a","value":0}' }]);
        expect(await store.getReference('x')).toBe(1);
      });

      it('ETags that are no digests (an encrypted bucket) are believed once that is known', async () => {
        const { proxy, store } = await behindProxy();
        await store.setReference('x', 1);
        proxy.fail('PUT', [{ status: 200, headers: { ETag: '"opaque"' } }]);
        await store.swapReference('y', 1, null);
        proxy.fail('GET', [{ status: 200, headers: { ETag: '"opaque"' }, body: '{"id":"a","value":2}' }]);
        expect(await store.getReference('x')).toBe(2);
      });
    });

    it('a server that goes away and comes back with the same objects is waited for', async () => {
      const store = open(newBucket());
      const hash = await store.put(Buffer.from('kept'));
      await server.kill();
      const reading = store.get(hash);
      await server.restart();
      expect(Buffer.from(await reading).toString()).toBe('kept');
    });
  });

  describe('a look before anything is spent says what to do about', () => {
    it('a bucket that is not there', async () => {
      expect(await look(open('nowhere'))).toMatch(
        /nowhere .*no such bucket.*aws s3 mb s3:\/\/nowhere.*storage\.bucket/,
      );
    });

    it('credentials that are refused, and quotes none of them', async () => {
      const bucket = newBucket();
      const wrongKey = { ...server.env, AWS_ACCESS_KEY_ID: 'AKIAWRONGWRONG' };
      const wrongSecret = { ...server.env, AWS_SECRET_ACCESS_KEY: 'not the secret' };
      for (const env of [wrongKey, wrongSecret]) {
        const message = await look(open(bucket, server.endpoint, env));
        expect(message).toMatch(/refused.*AWS_ACCESS_KEY_ID/);
        for (const secret of [SECRET_KEY, 'AKIAWRONGWRONG', 'not the secret']) expect(message).not.toContain(secret);
      }
    });

    it('credentials that are nowhere', async () => {
      const nowhere = {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
        AWS_CONFIG_FILE: '/nonexistent',
      };
      const before = { ...process.env };
      for (const [name, value] of Object.entries(nowhere))
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      onTestFinished(() => {
        for (const name of Object.keys(nowhere))
          if (before[name] === undefined) delete process.env[name];
          else process.env[name] = before[name];
      });
      expect(await look(open(newBucket(), server.endpoint, {}))).toMatch(/no credentials.*AWS_ACCESS_KEY_ID/);
    });

    it('an endpoint where nothing listens', async () => {
      const message = await look(open('any', `http://127.0.0.1:${await freePort()}`));
      expect(message).toMatch(/ECONNREFUSED.*storage\.endpoint/);
    });

    it('an endpoint that says nothing, within 10 s', async () => {
      expect(await silence).toEqual({
        message: expect.stringMatching(/no answer in time/) as string,
        isInTime: true,
      });
    });

    it('a store that ignores conditions of writes, or does not know them', async () => {
      const proxy = await startFaultyProxy(server.port);
      onTestFinished(() => proxy.close());
      const unknown: Fault = { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' };
      for (const [faults, message] of [
        [['pass', { status: 200 }], /ignores If-None-Match.*storage\.driver: file/],
        [['pass', 'pass', { status: 200 }], /ignores If-Match.*storage\.driver: file/],
        [['pass', unknown, unknown, unknown], /does not know conditional writes.*storage\.driver: file/],
      ] as [Fault[], RegExp][]) {
        proxy.fail('PUT', faults);
        expect(await look(open(newBucket(), proxy.endpoint))).toMatch(message);
      }
    });

    it('an endpoint that is no S3', async () => {
      const proxy = await startFaultyProxy(server.port);
      onTestFinished(() => proxy.close());
      proxy.fail('PUT', [{ status: 405, body: '<html>no</html>' }]);
      expect(await look(open('any', proxy.endpoint))).toMatch(/405/);
    });
  });
});

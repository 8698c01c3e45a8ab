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
import { startFaultyProxy, type FaultyProxy } from './faulty-proxy.ts';
import { findS3Gateway, freePort, SECRET_KEY, startS3Server, type S3Server } from './s3-server.ts';

const gateway = await findS3Gateway();
if (gateway === undefined)
  console.log('skipped: no versitygw is installed, nor Go to build it with; the S3 store is not tested');

describe.skipIf(gateway === undefined)('with a real S3-compatible server', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
  });
  afterAll(() => server.close());

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
      names: () => names(bucket),
      damage: (hash, bytes) => writeFile(file(hash), bytes),
      date: (hash, written) => utimes(file(hash), written, written),
      close: () => Promise.resolve(),
    });
  });

  it('has the layout of the file store: a copied folder is the same store', async () => {
    const bucket = newBucket();
    const path = await mkdtemp(join(tmpdir(), 'blobs-'));
    onTestFinished(() => rm(path, { recursive: true, force: true }));
    const files = createFileBlobStore({ path });
    const hash = await files.put(Buffer.from('moved'));
    await files.setReference('runs/a b@1/0', { head: hash });
    await cp(path, join(server.folder, bucket), { recursive: true });
    const moved = createS3BlobStore({ place: { bucket, endpoint: server.endpoint }, env: server.env });
    expect(Buffer.from(await moved.get(hash)).toString()).toBe('moved');
    expect(await moved.listReferences('runs/')).toEqual(['runs/a b@1/0']);
    expect(await moved.getReference('runs/a b@1/0')).toEqual({ head: hash });
  });

  describe('faults on the way', () => {
    async function behindProxy(): Promise<{ proxy: FaultyProxy; store: BlobStore; bucket: string }> {
      const proxy = await startFaultyProxy(server.port);
      onTestFinished(() => proxy.close());
      return { proxy, store: open(newBucket(), proxy.endpoint), bucket: `bucket-${buckets}` };
    }

    it('that pass are waited out: 503, 500, 429 and cut connections', async () => {
      const { proxy, store } = await behindProxy();
      proxy.fail('PUT', [{ status: 503 }, 'cut', { status: 500 }]);
      const hash = await store.put(Buffer.from('kept'));
      proxy.fail('GET', ['cut', { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }, { status: 429 }]);
      expect(Buffer.from(await store.get(hash)).toString()).toBe('kept');
      expect(proxy.requests).toHaveLength(8);
    });

    it('a body that breaks off goes on where it stopped, whole or as a stream', async () => {
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
    const look = async (store: BlobStore): Promise<string> => {
      const error = await store.check().then(
        () => undefined,
        (failure: unknown) => failure,
      );
      expect(error).toMatchObject({ type: 'Storage.Unavailable' });
      return (error as Error).message;
    };

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
      const silent = createServer(() => undefined);
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void silent.close());
      const bound = silent.address();
      const endpoint = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
      expect(await look(open('any', endpoint))).toMatch(/no answer in time/);
    }, 10_000);

    it('an endpoint that is no S3', async () => {
      const proxy = await startFaultyProxy(server.port);
      onTestFinished(() => proxy.close());
      proxy.fail('PUT', [{ status: 405, body: '<html>no</html>' }]);
      expect(await look(open('any', proxy.endpoint))).toMatch(/405/);
    });
  });
});

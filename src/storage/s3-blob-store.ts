import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { TypedError } from '../domain/failures.ts';
import { checking, hashOfSegments, objectSegments, sha256 } from './blob-names.ts';
import { FRESH_MS, type BlobHash, type BlobStore, type StoredBlob } from './blob-store.ts';
import { createObjectJournals } from './object-journals.ts';
import { simpleReferences } from './reference-entry.ts';
import { createS3Client, endpointOf, SMALL_REQUEST_TIME, type S3Place } from './s3-client.ts';
import { asUnavailable, isAbsent, isRefusedCondition } from './s3-failures.ts';
import { createS3References } from './s3-references.ts';
import { resumedBody } from './s3-resumed-body.ts';
import { spool, type Spooled } from './spool.ts';

/** Bytes of a part; larger blobs go up in several, four at a time, so an upload holds at most 32 MiB. */
const PART = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 4;
const ATTEMPTS = 8;
/** S3's own limit. */
const MAX_PARTS = 10_000;
/** Milliseconds for everything that `check` asks. */
const CHECK_TIME = 5000;
const CHECK_ATTEMPTS = 3;
const PROBE = Buffer.from('durable-rlm can write here\n');

/**
 * Blobs, references and journals as objects of an S3 bucket, `<prefix>objects/...`, `<prefix>references/....json` and
 * `<prefix>journals/....jsonl`.
 *
 * A stream is spooled first (in memory, beyond 8 MiB in a temporary file) and not uploaded under a temporary key:
 * its hash, hence its key, is known only at its end, and so nothing incomplete ever lies in the bucket, an upload can
 * be repeated, a blob that is there already is not sent at all, and no copy is needed, which S3 limits to 5 GB.
 *
 * Requests are tried again by the SDK (throttling, 5xx, cut connections, time limits), reads that break off in
 * the middle go on where they stopped. There is no cache beneath: what is read often, records, is kept parsed in
 * memory by `createChains`.
 *
 * @param input.env credentials and what else AWS's own tools read (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_REGION`, ...)
 * @param input.attempts of a request. Default 8: about 6 s when it fails at once
 */
export function createS3BlobStore(input: { place: S3Place; env: NodeJS.ProcessEnv; attempts?: number }): BlobStore {
  const endpoint = endpointOf(input.place, input.env);
  const place = { ...input.place, ...(endpoint === undefined ? {} : { endpoint }) };
  const client = createS3Client(place, input.env, input.attempts ?? ATTEMPTS);
  const { bucket } = place;
  const prefix = place.prefix === undefined ? '' : `${place.prefix.replaceAll(/^\/+|\/+$/g, '')}/`;
  const objectKey = (hash: BlobHash): string => `${prefix}objects/${objectSegments(hash).join('/')}`;
  const referencePrefix = `${prefix}references/`;
  const references = createS3References(client, { bucket, prefix: referencePrefix });
  const guard = storageGuard(place);
  const readReference: BlobStore['readReference'] = (name) => guard(() => references.read(name));
  const swapReference: BlobStore['swapReference'] = (name, value, expected) =>
    guard(() => references.swap(name, value, expected));
  const small = { requestTimeout: SMALL_REQUEST_TIME };

  async function write(key: string, bytes: Uint8Array): Promise<void> {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }), small);
  }

  /** The object's bytes, which begin to come when this resolves. */
  async function read(hash: BlobHash): Promise<Readable> {
    const Key = objectKey(hash);
    try {
      return await resumedBody((offset) =>
        client.send(
          new GetObjectCommand({ Bucket: bucket, Key, ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }) }),
          small,
        ),
      );
    } catch (error) {
      throw isAbsent(error) ? missing(hash, place) : error;
    }
  }

  /** When a blob was written; undefined where there is none. */
  async function writtenAt(hash: BlobHash): Promise<number | undefined> {
    try {
      const { LastModified } = await client.send(
        new HeadObjectCommand({ Bucket: bucket, Key: objectKey(hash) }),
        small,
      );
      return LastModified?.getTime() ?? Date.now();
    } catch (error) {
      // The answer to HEAD has no body that would tell a missing bucket from a missing object.
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** Undefined where there is no such blob; false where it is there, but has to be stored again to count as new. */
  async function tryRenew(hash: BlobHash): Promise<boolean | undefined> {
    const isFresh = async (): Promise<boolean | undefined> => {
      const written = await writtenAt(hash);
      return written === undefined ? undefined : Date.now() - written < FRESH_MS;
    };
    const before = await isFresh();
    if (before !== false) return before;
    const Key = objectKey(hash);
    const CopySource = `${bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`;
    // Copied onto itself, which no bytes travel for. Limited to 5 GB, and some stores keep the time it had.
    await client
      .send(new CopyObjectCommand({ Bucket: bucket, Key, CopySource, MetadataDirective: 'REPLACE' }))
      .catch(() => undefined);
    return isFresh();
  }

  async function store(hash: BlobHash, { size, content }: Pick<Spooled, 'size' | 'content'>): Promise<void> {
    if (typeof content === 'string') await uploadParts(hash, size, createReadStream(content));
    else await write(objectKey(hash), content);
  }

  async function uploadParts(hash: BlobHash, size: number, body: Readable): Promise<void> {
    const upload = new Upload({
      client,
      params: { Bucket: bucket, Key: objectKey(hash), Body: body },
      partSize: Math.max(PART, Math.ceil(size / MAX_PARTS)),
      queueSize: PARTS_AT_ONCE,
    });
    await upload.done();
  }

  return {
    put: (bytes) =>
      guard(async () => {
        const hash = sha256(bytes);
        // Sent without asking first: most blobs are new, and a second copy of the same bytes changes nothing.
        if (bytes.length <= PART) await write(objectKey(hash), bytes);
        else if ((await tryRenew(hash)) !== true) await uploadParts(hash, bytes.length, Readable.from(slices(bytes)));
        return hash;
      }),

    putStream: (stream) =>
      guard(async () => {
        const spooled = await spool(stream, PART);
        try {
          const { hash, size } = spooled;
          if ((await tryRenew(hash)) !== true) await store(hash, spooled);
          return { hash, size };
        } finally {
          await spooled.remove();
        }
      }),

    get: (hash) =>
      guard(async () => {
        const bytes = await buffer(await read(hash));
        if (sha256(bytes) !== hash) throw damaged(hash, place, objectKey(hash));
        return bytes;
      }),

    open: (hash) =>
      guard(async () => {
        const check = checking(hash, () => damaged(hash, place, objectKey(hash)));
        const body = await read(hash);
        body.on('error', (error) => check.destroy(asUnavailable(error, place)));
        check.on('close', () => body.destroy());
        return body.pipe(check);
      }),

    has: (hash) => guard(async () => (await writtenAt(hash)) !== undefined),

    renew: (hash) =>
      guard(async () => {
        const renewed = await tryRenew(hash);
        if (renewed !== false) return renewed ?? false;
        const spooled = await spool(await read(hash), PART);
        try {
          if (spooled.hash !== hash) throw damaged(hash, place, objectKey(hash));
          await store(hash, spooled);
        } finally {
          await spooled.remove();
        }
        return true;
      }),

    list: () => listObjects({ client, bucket, prefix: `${prefix}objects/` }, guard),

    delete: (hash, before) =>
      guard(async () => {
        const written = await writtenAt(hash);
        if (written === undefined) return true;
        if (written >= before) return false;
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: objectKey(hash) }), small);
        return true;
      }),

    readReference,
    swapReference,
    ...simpleReferences({ readReference, swapReference }),
    listReferences: (wanted) => guard(() => references.list(wanted)),
    deleteReference: (name) => guard(() => references.delete(name)),

    ...createObjectJournals(`${prefix}journals/`, {
      read: (Key) =>
        guard(async () => {
          try {
            const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }), small);
            return await Body?.transformToString();
          } catch (error) {
            if (isAbsent(error)) return undefined;
            throw error;
          }
        }),
      write: (key, text) => guard(() => write(key, Buffer.from(text))),
      list: (Prefix) => guard(() => listKeys(client, { Bucket: bucket, Prefix })),
      remove: (Key) =>
        guard(async () => {
          await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }), small);
        }),
    }),

    check: () =>
      guard(async () => {
        // With few attempts: the failure should be reported, not waited out.
        const trial = createS3Client(place, input.env, CHECK_ATTEMPTS);
        const abortSignal = AbortSignal.timeout(CHECK_TIME);
        const Key = objectKey(sha256(PROBE));
        try {
          await trial.send(new PutObjectCommand({ Bucket: bucket, Key, Body: PROBE }), { abortSignal });
          await checkConditions(place, (condition) =>
            trial.send(new PutObjectCommand({ Bucket: bucket, Key, Body: PROBE, ...condition }), { abortSignal }),
          );
          await Promise.all([
            trial.send(new GetObjectCommand({ Bucket: bucket, Key }), { abortSignal }).then(({ Body }) => drain(Body)),
            trial.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: referencePrefix, MaxKeys: 1 }), {
              abortSignal,
            }),
          ]);
        } finally {
          trial.destroy();
        }
      }),
  };
}

async function listKeys(client: S3Client, where: { Bucket: string; Prefix: string }): Promise<string[]> {
  const keys: string[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, where))
    for (const { Key } of Contents) if (Key !== undefined) keys.push(Key);
  return keys;
}

async function* listObjects(
  { client, bucket, prefix }: { readonly client: S3Client; readonly bucket: string; readonly prefix: string },
  guard: Guard,
): AsyncGenerator<StoredBlob> {
  const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix });
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- each page names the next
    const page = await guard(() => pages.next());
    if (page.done === true) return;
    for (const { Key = '', Size = 0, LastModified } of page.value.Contents ?? []) {
      const [folder = '', file = ''] = Key.slice(prefix.length).split('/');
      const hash = hashOfSegments(folder, file);
      // Without a time it might have been written just now.
      if (hash !== undefined) yield { hash, size: Size, written: LastModified?.getTime() ?? Date.now() };
    }
  }
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += PART) yield bytes.subarray(start, start + PART);
}

/**
 * Whether the store refuses what it must refuse: to create an object that is there, and to replace one that has another
 * ETag.
 */
async function checkConditions(
  { bucket }: S3Place,
  put: (condition: { IfNoneMatch: string } | { IfMatch: string }) => Promise<unknown>,
): Promise<void> {
  const conditions = { 'If-None-Match': { IfNoneMatch: '*' }, 'If-Match': { IfMatch: `"${'0'.repeat(32)}"` } };
  for (const [header, condition] of Object.entries(conditions)) {
    // oxlint-disable-next-line no-await-in-loop -- two
    const isRefused = await put(condition).then(
      () => false,
      (error: unknown) => {
        if (isRefusedCondition(error)) return true;
        throw error;
      },
    );
    if (isRefused) continue;
    throw new TypedError(
      'Storage.Unavailable',
      `the store of the bucket ${bucket} ignores ${header}, so workers could overwrite each other's progress. ` +
        'Upgrade it to a version with conditional writes, use one that has them (AWS S3, versitygw 1.8), ' +
        'or share a folder instead (storage.driver: file)',
    );
  }
}

async function drain(body: { transformToByteArray(): Promise<Uint8Array> } | undefined): Promise<void> {
  await body?.transformToByteArray();
}

type Guard = <T>(act: () => Promise<T>) => Promise<T>;

/** Everything that S3 or the way to it refuses becomes `Storage.Unavailable` with the way on. */
function storageGuard(place: S3Place): Guard {
  return async (act) => {
    try {
      return await act();
    } catch (error) {
      throw asUnavailable(error, place);
    }
  };
}

function missing(hash: BlobHash, { bucket }: S3Place): TypedError {
  return new TypedError(
    'Storage.Missing',
    `blob ${hash} is not in the bucket ${bucket}: was it deleted, or does this process use another storage.prefix?`,
  );
}

function damaged(hash: BlobHash, { bucket }: S3Place, key: string): TypedError {
  return new TypedError(
    'Storage.Damaged',
    `blob ${hash} is damaged: the bytes of s3://${bucket}/${key} do not have its hash. Restore the object from an ` +
      'earlier version or a backup, or delete it',
  );
}

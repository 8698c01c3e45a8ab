import type { Payload, PayloadCodec } from '@temporalio/common';
import { KeyMissing } from '../domain/key-missing.ts';
import type { EncryptionKeys } from './keys.ts';
import { seal, unseal } from './seal.ts';

const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const LABEL = 'payload';

/** Encrypts whatever Temporal keeps of a run: inputs, results, signals, memos, heartbeats. */
export function createPayloadCodec(keys: EncryptionKeys): PayloadCodec {
  return {
    encode: (payloads) => Promise.resolve(payloads.map((payload) => encrypted(keys, payload))),
    decode: (payloads) => Promise.resolve(payloads.map((payload) => decrypted(keys, payload))),
  };
}

/** For a process without a key. */
export const refuseEncryptedPayloads: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads),
  // oxlint-disable-next-line require-await -- a payload that is encrypted rejects the promise
  decode: async (payloads) => {
    for (const payload of payloads) if (textOf(payload, 'encoding') === ENCODING) throw missingKey(payload);
    return payloads;
  },
};

const NULL: Payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('null') };

/** Decodes what a codec has no key for as null, so that one memo does not spoil a whole list. */
export function nullWithoutKey(codec: PayloadCodec): PayloadCodec {
  const decodeOne = async (payload: Payload): Promise<Payload> => {
    try {
      return (await codec.decode([payload]))[0] ?? payload;
    } catch (error) {
      if (error instanceof KeyMissing) return NULL;
      throw error;
    }
  };
  return {
    encode: (payloads) => codec.encode(payloads),
    decode: (payloads) => Promise.all(payloads.map(decodeOne)),
  };
}

function encrypted({ current }: EncryptionKeys, payload: Payload): Payload {
  if (textOf(payload, 'encoding') === ENCODING) return payload;
  return {
    metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(current.id) },
    data: seal(current, LABEL, pack(payload)),
  };
}

/** What was written before there was a key stays as it is. */
function decrypted({ byId }: EncryptionKeys, payload: Payload): Payload {
  if (textOf(payload, 'encoding') !== ENCODING) return payload;
  const key = byId.get(textOf(payload, KEY_ID));
  if (key === undefined) throw missingKey(payload);
  return unpack(unseal(key, LABEL, payload.data ?? new Uint8Array()));
}

function missingKey(payload: Payload): KeyMissing {
  return new KeyMissing(textOf(payload, KEY_ID), 'A payload in Temporal');
}

function textOf({ metadata }: Payload, name: string): string {
  const value = metadata?.[name];
  return value == null ? '' : Buffer.from(value).toString();
}

/** The length of the metadata as JSON, the metadata, the data. */
function pack({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  const head = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, data ?? new Uint8Array()]);
}

function unpack(bytes: Buffer): Payload {
  const end = 4 + bytes.readUInt32BE(0);
  const head = JSON.parse(bytes.toString('utf8', 4, end)) as Record<string, string>;
  const metadata = Object.fromEntries(
    Object.entries(head).map(([name, value]) => [name, new Uint8Array(Buffer.from(value, 'base64'))]),
  );
  return { metadata, data: new Uint8Array(bytes.subarray(end)) };
}

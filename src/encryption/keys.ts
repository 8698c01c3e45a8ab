import { createHash, createHmac } from 'node:crypto';
import { TypedError } from '../domain/failures.ts';
import { KEY_VARIABLE } from '../domain/key-missing.ts';

export { KEY_VARIABLE } from '../domain/key-missing.ts';

const KEY_BYTES = 32;

/** A key for AES-256-GCM, and one that nonces are derived with. */
export interface EncryptionKey {
  /** Names the key in what it encrypted; says nothing about it. */
  readonly id: string;
  readonly cipher: Buffer;
  readonly nonce: Buffer;
}

/** The first encrypts; all of them decrypt. */
export interface EncryptionKeys {
  readonly current: EncryptionKey;
  readonly byId: ReadonlyMap<string, EncryptionKey>;
}

/**
 * The keys of `DURABLE_RLM_ENCRYPTION_KEY`: 32 bytes in base64 or hexadecimal; after a comma older ones, for what they
 * encrypted. Undefined where the variable is not set.
 *
 * @throws TypedError `Input.Invalid`; the message does not repeat the value
 */
export function readEncryptionKeys(env: NodeJS.ProcessEnv): EncryptionKeys | undefined {
  const value = env[KEY_VARIABLE]?.trim() ?? '';
  if (value === '') return undefined;
  const [current, ...older] = value.split(',').map((text) => keyOf(text.trim()));
  if (current === undefined) return undefined;
  return { current, byId: new Map([current, ...older].map((key) => [key.id, key])) };
}

function keyOf(text: string): EncryptionKey {
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || !/^[A-Za-z0-9+/_-]+=*$/.test(text)) {
    throw new TypedError(
      'Input.Invalid',
      `${KEY_VARIABLE} must hold a key of ${KEY_BYTES} bytes in base64, such as openssl rand -base64 32 prints.`,
    );
  }
  const derive = (purpose: string): Buffer => createHmac('sha256', bytes).update(`durable-rlm ${purpose}`).digest();
  const id = createHash('sha256').update(derive('id')).digest('hex').slice(0, 8);
  return { id, cipher: derive('cipher'), nonce: derive('nonce') };
}

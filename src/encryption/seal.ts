import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { EncryptionKey } from './keys.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

/**
 * AES-256-GCM: nonce, ciphertext, tag. The nonce is a keyed hash of what is encrypted, so that the same bytes give the same
 * (blobs are named by their content), and different ones never share a nonce.
 *
 * @param label what the bytes are, and where: they are refused elsewhere
 */
export function seal(key: EncryptionKey, label: string, bytes: Uint8Array): Buffer {
  const nonce = createHmac('sha256', key.nonce)
    .update(`${label.length}:${label}`)
    .update(bytes)
    .digest()
    .subarray(0, NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.cipher, nonce);
  cipher.setAAD(Buffer.from(label));
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** @throws Error where they were changed, or are of another label or key */
export function unseal(key: EncryptionKey, label: string, bytes: Uint8Array): Buffer {
  if (bytes.length < SEAL_BYTES) throw new Error('too short to be encrypted');
  const decipher = createDecipheriv('aes-256-gcm', key.cipher, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(label));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
}

import type { DataConverter } from '@temporalio/common';
import { readEncryptionKeys } from './keys.ts';
import { createPayloadCodec, refuseEncryptedPayloads } from './payload-codec.ts';

/**
 * For clients and workers alike: encrypts and decrypts where there is a key; without one, says which key is missing for what is
 * encrypted.
 *
 * @throws TypedError `Input.Invalid` for a value that is no key
 */
export function dataConversion(env: NodeJS.ProcessEnv): { readonly dataConverter: DataConverter } {
  const keys = readEncryptionKeys(env);
  return {
    dataConverter: { payloadCodecs: [keys === undefined ? refuseEncryptedPayloads : createPayloadCodec(keys)] },
  };
}

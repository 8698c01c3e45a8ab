import type { DataConverter } from '@temporalio/common';
import { readEncryptionKeys } from './keys.ts';
import { createPayloadCodec } from './payload-codec.ts';

/** For clients and workers alike: nothing where there is no key. @throws TypedError `Input.Invalid` for what is none */
export function dataConversion(env: NodeJS.ProcessEnv): { readonly dataConverter?: DataConverter } {
  const keys = readEncryptionKeys(env);
  return keys === undefined ? {} : { dataConverter: { payloadCodecs: [createPayloadCodec(keys)] } };
}

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { startCodecServer } from '../encryption/codec-server.ts';
import { KEY_VARIABLE, readEncryptionKeys } from '../encryption/keys.ts';
import { createPayloadCodec } from '../encryption/payload-codec.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import { CommandError } from './report-error.ts';

/** `rlm codec`. */
export async function serveCodec(io: Io, { port }: { readonly port: number }): Promise<number> {
  const keys = readEncryptionKeys(io.env);
  if (keys === undefined)
    throw new CommandError(`There is no key: set ${KEY_VARIABLE} to the one that the workers have.`);
  const token = randomBytes(24).toString('base64url');
  const server = await startCodecServer(createPayloadCodec(keys), { port, token });
  say(io, `temporal workflow show --workflow-id <run> --codec-endpoint ${server.url} --codec-auth "Bearer ${token}"`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.close();
  return EXIT_DONE;
}

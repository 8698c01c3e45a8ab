import { TypedError } from '../../domain/failures.ts';
import type { GitOptions } from './git.ts';

const TOKEN_VARIABLE = 'DURABLE_RLM_GIT_TOKEN';

/** Prints what the variable holds when it is asked for a user name and password. */
const HELPER = `!f() { if [ "$1" = get ]; then printf 'username=x-access-token\\npassword=%s\\n' "$${TOKEN_VARIABLE}"; fi; }; f`;

/**
 * Gives a token to a URL's server and to no other. It is a credential and not a header, because git sends headers on to
 * whatever server it is redirected to.
 *
 * @throws TypedError `Input.Invalid` where it would travel without encryption.
 */
export function tokenOptions(token: string, url: string): Pick<GitOptions, 'config' | 'environment' | 'secrets'> {
  if (!isPrivate(url)) {
    throw new TypedError('Input.Invalid', `A token is sent over HTTPS only: give the repository as an https:// URL.`);
  }
  if (/[\0\r\n]/.test(token)) {
    throw new TypedError('Input.Invalid', 'The token of the repository holds a line break: check its variable.');
  }
  return {
    config: [
      ['credential.helper', ''],
      [`credential.${new URL(url).origin}.helper`, HELPER],
      // From git 2.46 on; before, git asks without the token first, and does not follow a redirection of the second try.
      ['http.proactiveAuth', 'basic'],
    ],
    environment: { [TOKEN_VARIABLE]: token },
    secrets: [token],
  };
}

/** Encrypted, or on this machine. */
function isPrivate(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));
}

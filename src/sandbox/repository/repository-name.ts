import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TypedError } from '../../domain/failures.ts';
import { redact } from '../../redact.ts';

/** What a person typed as a repository: a folder of this machine, or the URL of one elsewhere. */
export type RepositoryName =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string };

const SCHEMES = ['https:', 'http:', 'ssh:', 'git:'];

/**
 * @param cwd what a relative path is relative to.
 * @throws TypedError `Input.Invalid` for a URL that holds a password, or of a kind that is not fetched.
 */
export function parseRepositoryName(text: string, cwd: string = process.cwd()): RepositoryName {
  const name = text.trim();
  if (name === '') throw new TypedError('Input.Invalid', 'The repository is empty: give a folder or a URL.');
  if (name.startsWith('-'))
    throw new TypedError('Input.Invalid', `"${name}" is not a repository: give a folder or a URL.`);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return fromUrl(name);
  if (/^[a-z0-9]+::/i.test(name) || /^https?:/i.test(name)) throw unsupported(name);
  const path = name === '~' || name.startsWith('~/') ? homedir() + name.slice(1) : resolve(cwd, name);
  // host:path is ssh's short form, unless a folder of that name is here.
  if (/^([^/@:]+@)?[^/@:]+:.+/.test(name) && !existsSync(path)) return { kind: 'url', url: name };
  return { kind: 'path', path };
}

function fromUrl(name: string): RepositoryName {
  let url: URL;
  try {
    url = new URL(name);
  } catch {
    throw new TypedError('Input.Invalid', `"${withoutUser(name)}" is not a URL that can be read.`);
  }
  if (url.protocol === 'file:') return { kind: 'path', path: fileURLToPath(url) };
  if (!SCHEMES.includes(url.protocol)) throw unsupported(name);
  refusePassword(url);
  return { kind: 'url', url: name };
}

/**
 * A URL ends up in logs, histories and error messages, so a password must not be in it.
 *
 * @throws TypedError `Input.Invalid`; the message does not repeat the URL's secret.
 */
export function refusePassword(url: URL): void {
  const overHttp = url.protocol === 'https:' || url.protocol === 'http:';
  // Over HTTP a user name alone is a token as well (https://TOKEN@host/...).
  if (url.password === '' && !(overHttp && url.username !== '')) return;
  throw new TypedError(
    'Input.Invalid',
    `The URL of the repository on ${url.host} holds a password or token. Take it out, put the token into an ` +
      `environment variable of the worker, and name that variable in the configuration: repository.token_env`,
  );
}

/** A URL that cannot be read, or is not fetched, may hold a token all the same. */
function withoutUser(name: string): string {
  return redact(name, undefined)
    .replace(/^([a-z][a-z0-9+.-]*:+\/*)?.*@/is, '$1[redacted]@')
    .slice(0, 200);
}

function unsupported(name: string): TypedError {
  return new TypedError(
    'Input.Invalid',
    `"${withoutUser(name)}" is not fetched: give a folder, or an https://, ssh:// or git:// URL.`,
  );
}

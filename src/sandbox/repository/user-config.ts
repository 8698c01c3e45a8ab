import { stat } from 'node:fs/promises';
import { runGit } from './git.ts';

/** The name of a setting, its section and last word in small letters, and its value. */
export type Setting = readonly [name: string, value: string];

/**
 * The user's own git configuration: `~/.gitconfig` and `$XDG_CONFIG_HOME/git/config`, or what GIT_CONFIG_GLOBAL names,
 * with the files they include. Of a file that belongs to another user nothing counts: for root with that user's HOME its
 * helpers would run as root.
 */
export async function userSettings(signal?: AbortSignal): Promise<Setting[]> {
  const listed = await runGit(['config', '--list', '--includes', '--show-scope', '--show-origin', '--null'], {
    signal,
    readsUserConfig: true,
  });
  const fields = listed.stdout.split('\0');
  const found: { readonly file: string; readonly setting: Setting }[] = [];
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [scope = '', origin = '', entry = ''] = fields.slice(at, at + 3);
    if (scope === 'global') found.push({ file: origin.replace(/^file:/, ''), setting: parseEntry(entry) });
  }
  const files = [...new Set(found.map(({ file }) => file))];
  const trusted = new Set<string>();
  await Promise.all(files.map(async (file) => (await isTrusted(file)) && trusted.add(file)));
  return found.flatMap(({ file, setting }) => (trusted.has(file) ? [setting] : []));
}

/** Of a repository's own configuration, without what it includes; empty where it has none. */
export async function settingsOfFile(file: string, signal?: AbortSignal): Promise<Setting[]> {
  const listed = await runGit(['config', '--file', file, '--no-includes', '--list', '--null'], { signal });
  return listed.stdout.split('\0').filter(Boolean).map(parseEntry);
}

/**
 * What of the user's configuration counts when a server is reached: proxies and certificates, credential helpers, the
 * command for ssh. Not `url.*.insteadOf`, nor anything else that changes where a connection goes.
 */
const NETWORK = /^https?(\..+)?\.(proxy[a-z]*|ssl[a-z]+|pinnedpubkey|emptyauth|delegation)$/s;
const CREDENTIALS = /^credential(\..+)?\.[a-z]+$/s;

export function networkSettings(settings: readonly Setting[], withCredentials: boolean): Setting[] {
  return settings.filter(([name]) => NETWORK.test(name) || (withCredentials && CREDENTIALS.test(name)));
}

/** Client certificates, and tickets of Kerberos. */
const IDENTITY = /^https?(\..+)?\.(sslcert[a-z]*|sslkey[a-z]*|emptyauth|delegation)$/s;

/** The way to a server, without what the user is known by there. */
export function anonymousSettings(settings: readonly Setting[]): Setting[] {
  return networkSettings(settings, false).filter(([name]) => !IDENTITY.test(name));
}

/** Has no ~/.netrc, in which git's transport looks by itself, and no agent or ticket. */
export const NOBODY = {
  HOME: '/nonexistent',
  XDG_CONFIG_HOME: '/nonexistent',
  SSH_AUTH_SOCK: '',
  KRB5CCNAME: '/nonexistent',
} as const;

/**
 * How ssh is called: as the environment of this process says, or the user's configuration, or in a way that asks no
 * questions. An environment is given by the person who starts a process, as a configuration is by its user.
 */
export function sshCommand(settings: readonly Setting[]): Readonly<Record<string, string>> {
  const { GIT_SSH_COMMAND, GIT_SSH, GIT_SSH_VARIANT } = process.env;
  const variant = GIT_SSH_VARIANT === undefined ? {} : { GIT_SSH_VARIANT };
  if (GIT_SSH_COMMAND !== undefined) return { GIT_SSH_COMMAND, ...variant };
  const [, own] = settings.findLast(([name]) => name === 'core.sshcommand') ?? [];
  if (own !== undefined) return { GIT_SSH_COMMAND: own, ...variant };
  if (GIT_SSH !== undefined) return { GIT_SSH, ...variant };
  return { GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20' };
}

/** What says how a working tree compares with its commit, and runs and names nothing. */
const COMPARING =
  /^core\.(autocrlf|eol|filemode|ignorecase|symlinks|precomposeunicode|trustctime|checkstat|sparsecheckout|sparsecheckoutcone)$/;
const WORD = /^[a-z0-9]*$/i;

export function comparingSettings(settings: readonly Setting[]): Setting[] {
  return settings.filter(([name, value]) => COMPARING.test(name) && WORD.test(value));
}

/** This user's; for root under sudo also those of the user who typed it, as for git. */
export function isOwnUid(uid: number): boolean {
  const own = process.geteuid?.();
  if (own === undefined || uid === own) return true;
  const { SUDO_UID } = process.env;
  return own === 0 && SUDO_UID !== undefined && /^\d+$/.test(SUDO_UID) && uid === Number(SUDO_UID);
}

/** A name without a value means true. */
function parseEntry(entry: string): Setting {
  const end = entry.indexOf('\n');
  return end < 0 ? [entry, 'true'] : [entry.slice(0, end), entry.slice(end + 1)];
}

async function isTrusted(file: string): Promise<boolean> {
  const owner = await stat(file).then(
    ({ uid }) => uid,
    () => undefined,
  );
  return owner !== undefined && (owner === 0 || isOwnUid(owner));
}

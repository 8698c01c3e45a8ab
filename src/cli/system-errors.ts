import { dirname } from 'node:path';
import { stateDirectory } from '../config/directories.ts';
import { systemFault } from '../storage/system-fault.ts';

/** What has happened, by the code of an error of the operating system; `{}` is where. */
const FAULTS: Readonly<Record<string, { readonly what: string; readonly advice: string }>> = {
  ENOSPC: { what: 'The disk of {} is full', advice: 'Make room there (rlm clean shows what may go)' },
  EDQUOT: { what: 'Your quota on the disk of {} is used up', advice: 'Make room there (rlm clean shows what may go)' },
  EROFS: { what: '{} is on a file system that is read-only', advice: 'Make it writable' },
  EACCES: { what: 'You may not write to {}', advice: 'Correct its permissions' },
  EPERM: { what: 'You may not write to {}', advice: 'Correct its permissions' },
  ENOTDIR: { what: 'A part of the path {} is a file, not a folder', advice: 'Move the file away' },
  EIO: { what: 'The disk of {} reports an error', advice: 'Look at it' },
};

const WITHOUT_PLACE: Readonly<Record<string, string>> = {
  EMFILE: 'This process may not open more files: raise the limit (ulimit -n 4096), then type the same again.',
  ENFILE: 'The machine may not open more files: end what has many open, then type the same again.',
};

/**
 * An error of the operating system that a person can put right, in a sentence or two; undefined for one of another kind.
 *
 * @param env - names the state folder, which is where a write to an open file, that does not say, has failed
 */
export function describeSystemError(error: unknown, env: NodeJS.ProcessEnv): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { syscall = '', port, address } = cause as NodeJS.ErrnoException & Listening;
    const { code, path } = systemFault(cause);
    if (code === 'ENOENT' && syscall.startsWith('spawn'))
      return `${syscall.slice('spawn '.length)} is not installed, or not on the PATH. Install it, then type the same again.`;
    if (syscall === 'listen') return describeListening(code, `${address ?? ''}:${port ?? ''}`);
    const without = WITHOUT_PLACE[code];
    if (without !== undefined) return without;
    const fault = FAULTS[code];
    if (fault === undefined) continue;
    const folder = path === undefined ? stateDirectory(env) : placeOf(code, path);
    return `${fault.what.replace('{}', folder)}. ${fault.advice}, then type the same again: nothing that was stored is lost. DURABLE_RLM_STATE names another state folder, --results another folder of results.`;
  }
  return undefined;
}

interface Listening {
  readonly port?: number;
  readonly address?: string;
}

function describeListening(code: string, at: string): string | undefined {
  if (code === 'EADDRINUSE') return `${at} is taken by another program: choose another port.`;
  if (code === 'EACCES') return `You may not listen on ${at}: choose a port above 1023.`;
  return code === 'EADDRNOTAVAIL' ? `${at} is no address of this machine.` : undefined;
}

/** The folder that a file was to be written to; of a path that is wrong itself all of it. */
function placeOf(code: string, path: string): string {
  return code === 'ENOTDIR' ? path : dirname(path);
}

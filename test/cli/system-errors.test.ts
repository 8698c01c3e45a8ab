import { expect, it } from 'vitest';
import { asTyped } from '../../src/cli/command-name.ts';
import { describeSystemError } from '../../src/cli/system-errors.ts';

const ENV = { DURABLE_RLM_STATE: '/state' };

function fault(fields: Partial<NodeJS.ErrnoException> & { readonly port?: number; readonly address?: string }): Error {
  return Object.assign(new Error('as the system says it'), fields);
}

it.each([
  [{ code: 'ENOSPC' }, 'The disk of /state is full. Make room there'],
  [{ code: 'EROFS', path: '/ro/state/file' }, '/ro/state is on a file system that is read-only. Make it writable'],
  [{ code: 'EACCES', path: '/root/state/file', syscall: 'mkdir' }, 'You may not write to /root/state. Correct its'],
  [{ code: 'ENOTDIR', path: '/file/state', syscall: 'mkdir' }, 'A part of the path /file/state is a file'],
  [{ code: 'EMFILE', syscall: 'open' }, 'ulimit -n'],
  [{ code: 'ENOENT', syscall: 'spawn git' }, 'git is not installed'],
  [{ code: 'EADDRINUSE', syscall: 'listen', address: '127.0.0.1', port: 9 }, '127.0.0.1:9 is taken by another program'],
  [{ code: 'EACCES', syscall: 'listen', address: '127.0.0.1', port: 9 }, 'choose a port above 1023'],
])('%o is a sentence with what to do', (fields, sentence) => {
  expect(describeSystemError(new Error('wrapped', { cause: fault(fields) }), ENV)).toContain(sentence);
});

it('another error is none of these', () => {
  expect(describeSystemError(new TypeError('x is not a function'), ENV)).toBeUndefined();
  expect(describeSystemError(fault({ code: 'ENOENT', syscall: 'open', path: '/x' }), ENV)).toBeUndefined();
});

it('commands in sentences are those that can be typed here', () => {
  const line = 'Follow it with rlm watch run; npx rlm list shows all (rlm down stops). rlm: no';
  expect(asTyped(line, {})).toBe(line);
  expect(asTyped(line, { npm_command: 'exec' })).toBe(
    'Follow it with npx rlm watch run; npx rlm list shows all (npx rlm down stops). rlm: no',
  );
});

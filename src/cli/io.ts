import { once } from 'node:events';
import { asTyped } from './command-name.ts';
import { printableJson, visibleControls } from './live/text.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** What a command sees of its process. */
export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  for (const stream of [stdout, stderr]) {
    // A reader that has seen enough (rlm patch | head) is no error.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  return { stdin, stdout, stderr, env, cwd: process.cwd() };
}

/** A command's result. On a terminal control characters are made visible; anywhere else the bytes are kept. */
export async function writeResult(io: Io, result: string | Uint8Array): Promise<void> {
  const shown = io.stdout.isTTY ? visibleControls(Buffer.from(result).toString('utf8')) : result;
  if (!io.stdout.write(shown)) await once(io.stdout, 'drain');
}

export async function writeJson(io: Io, value: unknown): Promise<void> {
  const text = `${printableJson(stringifyJson(value, 2))}\n`;
  if (!io.stdout.write(text)) await once(io.stdout, 'drain');
}

/** A line for a person. */
export function say(io: Io, line: string): void {
  io.stderr.write(`${visibleControls(asTyped(line, io.env))}\n`);
}

/** Waits until what was written has left: `process.exit` would cut a pipe short. */
export async function flush(io: Io): Promise<void> {
  await Promise.all(
    [io.stdout, io.stderr].map((stream) => new Promise<void>((done) => stream.write('', () => done()))),
  );
}

/**
 * Starts runs with the client of a built checkout and waits for their results, one JSON line in and one out for each:
 *
 *     node build-client.ts <checkout>
 *
 * It is a program like any other that uses `durable-rlm`: builds of other commits are timed in the very same way.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { ConfigInput } from '../../src/client.ts';

export interface RunRequest {
  readonly repo: string;
  readonly prompt: string;
  readonly config: ConfigInput;
}

export type RunReply =
  | { readonly kind: 'completed'; readonly seconds: number; readonly answer: string }
  | { readonly kind: 'failed'; readonly error: string };

const [checkout = '.'] = process.argv.slice(2);
const build: typeof import('../../src/client.ts') = await import(
  pathToFileURL(join(checkout, 'dist', 'client.js')).href
);
const client = await build.connect();
for await (const line of createInterface({ input: process.stdin })) {
  const reply = await play(JSON.parse(line)).catch(failed);
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
await client.close();

/** Timed from the workflow's start to its result; packing the repository comes before. */
async function play(request: RunRequest): Promise<RunReply> {
  const run = await client.start(request);
  const began = performance.now();
  const { status, answer, error } = await run.result();
  const seconds = (performance.now() - began) / 1000;
  if (status !== 'completed') return { kind: 'failed', error: `the run ${status}: ${error}` };
  return { kind: 'completed', seconds, answer: typeof answer === 'string' ? answer : JSON.stringify(answer) };
}

function failed(error: unknown): RunReply {
  return { kind: 'failed', error: error instanceof Error ? error.message : String(error) };
}

import { subscribe } from 'node:diagnostics_channel';
import { openSync, writeSync } from 'node:fs';

/**
 * The environment of a process that notes the idempotency key of each model call whose answer it has read whole, the
 * moment it has: which answers were on their way to it and which in its hands is known only there.
 */
export function notingAnswers(path: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${import.meta.url}`, DURABLE_RLM_TEST_ANSWERS: path };
}

function noteAnswers(path: string): void {
  const notes = openSync(path, 'a');
  const answered = new WeakSet<object>();
  subscribe('undici:request:headers', (message) => {
    const { request, response } = message as { request: object; response: { statusCode: number } };
    if (response.statusCode === 200) answered.add(request);
  });
  subscribe('undici:request:trailers', (message) => {
    const { request } = message as { request: { headers: string[] | string } };
    const key = /idempotency-key[:,]\s*([^\r\n,]+)/i.exec(String(request.headers))?.[1];
    if (key !== undefined && answered.has(request)) writeSync(notes, `${key}\n`);
  });
}

const path = process.env['DURABLE_RLM_TEST_ANSWERS'];
if (path !== undefined) noteAnswers(path);

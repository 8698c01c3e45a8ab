import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { z } from 'zod';
import { errorMessage } from '../domain/error-message.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** As protobuf's JSON has them, which leaves out a list without entries: what a query without arguments sends. */
const bodySchema = z.object({
  payloads: z
    .array(z.object({ metadata: z.record(z.string(), z.string()).optional(), data: z.string().optional() }))
    .default([]),
});

export interface CodecServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Decrypts payloads for Temporal's own tools (`temporal ... --codec-endpoint`), by their protocol: POST /decode and /encode.
 * On the loopback, where other users can knock as well: who asks has to show the token.
 */
export async function startCodecServer(
  codec: PayloadCodec,
  { port, token }: { readonly port: number; readonly token: string },
): Promise<CodecServer> {
  const server = createServer((request, response) => {
    answer(codec, token, request).then(
      ({ status, body }) => respond(response, status, body),
      (error: unknown) => respond(response, 400, { message: errorMessage(error) }),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function answer(codec: PayloadCodec, token: string, request: IncomingMessage): Promise<Answer> {
  if (!isEqual(request.headers.authorization ?? '', `Bearer ${token}`))
    return { status: 401, body: { message: 'the token of this codec server is missing: see what rlm codec printed' } };
  const way = /\/(encode|decode)$/.exec(request.url ?? '')?.[1];
  if (request.method !== 'POST' || way === undefined)
    return { status: 404, body: { message: 'this server takes POST /encode and /decode' } };
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES)
    return { status: 413, body: { message: 'the request is too large' } };
  const { payloads } = bodySchema.parse(JSON.parse(await text(request)));
  const given = payloads.map(({ metadata = {}, data = '' }): Payload => ({
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
    data: Buffer.from(data, 'base64'),
  }));
  const done = await (way === 'encode' ? codec.encode(given) : codec.decode(given));
  return { status: 200, body: { payloads: done.map(asJson) } };
}

function asJson({ metadata, data }: Payload): unknown {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(entries), data: base64(data ?? new Uint8Array()) };
}

function isEqual(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

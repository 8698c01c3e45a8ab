import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import type { TraceSpan } from '../../src/domain/trace.ts';
import { createTraces, spanIdOf, traceIdOf } from '../../src/telemetry/traces.ts';
import { tracesEndpoint } from '../../src/telemetry/traces-endpoint.ts';

const SPAN: TraceSpan = {
  run: 'a-run',
  execution: 'e',
  path: 'agent/0',
  parent: 'run',
  name: 'agent 0',
  start: 1_700_000_000_000,
  end: 1_700_000_000_500,
  attributes: { 'rlm.agent': '0' },
};

interface Received {
  readonly path: string | undefined;
  readonly type: string | undefined;
  readonly body: Buffer;
}

/** Something that takes spans, with an answer of its own. */
async function startCollector(status: number): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url, type: request.headers['content-type'], body: Buffer.concat(chunks) });
      response.writeHead(status).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

function withEndpoint(url: string): NodeJS.ProcessEnv {
  onTestFinished(() => void delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT']);
  return { OTEL_EXPORTER_OTLP_ENDPOINT: url };
}

it('spans are sent as OTLP where the environment says, and what is left when it ends', async () => {
  const { url, received } = await startCollector(200);
  const complaints: string[] = [];
  const env = withEndpoint(url);
  const traces = await createTraces({ env, version: '1', onError: (text) => complaints.push(text) });
  traces?.record(SPAN);
  await traces?.close();
  expect(received.map(({ path, type }) => [path, type])).toEqual([['/v1/traces', 'application/x-protobuf']]);
  const trace = traceIdOf('a-run', 'e');
  for (const id of [trace, spanIdOf(trace, 'agent/0'), spanIdOf(trace, 'run')])
    expect(received[0]?.body.includes(Buffer.from(id, 'hex'))).toBe(true);
  expect(complaints).toEqual([]);
});

it('a collector that refuses is told of once', async () => {
  const { url } = await startCollector(400);
  const complaints: string[] = [];
  const traces = await createTraces({ env: withEndpoint(url), version: '1', onError: (text) => complaints.push(text) });
  traces?.record(SPAN);
  traces?.record({ ...SPAN, path: 'agent/0.1' });
  await traces?.close();
  expect(complaints).toHaveLength(1);
  expect(complaints[0]).toMatch(/^spans could not be sent: /);
});

it('nothing is traced unless somebody asks for it', async () => {
  expect(await createTraces({ env: {}, version: '1', onError: () => undefined })).toBeUndefined();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
  expect(tracesEndpoint(env)).toBe('http://127.0.0.1:4318');
  expect(tracesEndpoint({ ...env, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
  expect(tracesEndpoint({ ...env, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
});

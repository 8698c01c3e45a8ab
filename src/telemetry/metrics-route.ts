import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';
import type { Route } from './monitoring-server.ts';

const SCRAPE_TIME = 2000;

/** Ours and Temporal's in one answer. @param temporal `host:port` where the SDK's core serves its own */
export function metricsRoute(metrics: Metrics, temporal: string): Route {
  return async () => {
    const [own, core] = await Promise.all([metrics.render(), scrape(temporal)]);
    return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: `${own.trimEnd()}\n${core}` };
  };
}

/** A failure is said in the answer instead of taking our own metrics with it. */
async function scrape(address: string): Promise<string> {
  try {
    const response = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(SCRAPE_TIME) });
    const text = await response.text();
    return text.replaceAll(/^# EOF\n?/gm, '');
  } catch (error) {
    return `# Temporal's metrics could not be had: ${error instanceof Error ? error.message.replaceAll('\n', ' ') : 'no answer'}\n`;
  }
}

/** A free port of the loopback interface, for the SDK, which cannot report the port it was given. */
export async function freeLoopbackPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

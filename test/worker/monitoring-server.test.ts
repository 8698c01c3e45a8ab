import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startMonitoringServer } from '../../src/telemetry/monitoring-server.ts';

/** The first line of the answer, to a request that no client library would send. */
async function statusOf(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString('latin1').split('\r\n')[0] ?? '';
}

test('anybody who reaches the port of health and metrics cannot end the worker with a path that is none', async () => {
  const well = (): Promise<{ status: number; type: string; body: string }> =>
    Promise.resolve({ status: 200, type: 'text/plain', body: 'well' });
  const server = await startMonitoringServer({ address: '127.0.0.1', port: 0, routes: { '/healthz': well } });
  onTestFinished(() => server.close());
  for (const path of ['//[', '//a:b', 'http://[', '*']) {
    // oxlint-disable-next-line no-await-in-loop -- one after another
    expect(await statusOf(server.port, path)).toMatch(/^HTTP\/1\.1 40[04] /);
  }
  expect(await statusOf(server.port, '/healthz')).toBe('HTTP/1.1 200 OK');
});

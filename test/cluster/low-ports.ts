import { createServer } from 'node:net';

/**
 * A free port of the loopback for each name, below 32768: the server keeps its members' ports in a column of 16 bits
 * with a sign, and the ports that the system gives out by itself lie above.
 */
export async function lowPorts(names: readonly string[]): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  let candidate = 20_000 + Math.floor(Math.random() * 10_000);
  for (const name of names) {
    do candidate += 1;
    while (!(await isFree(candidate)));
    ports[name] = candidate;
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

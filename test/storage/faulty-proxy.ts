import { EventEmitter, once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request on its way. */
export type Fault =
  /** Answered so, without asking the server behind. */
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** The connection is cut before any answer. */
  | 'cut'
  /** Passed on as if nothing had been planned. */
  | 'pass'
  /** Passed on; then the connection is cut in the place of the answer. */
  | 'lose-reply'
  /** Not answered until `cutHanging`. */
  | 'hang'
  /** The answer is cut after so many bytes of its body. */
  | { readonly cutAfter: number };

export interface FaultyProxy {
  readonly endpoint: string;
  /** `METHOD path` of every request. */
  readonly requests: string[];
  /** The next requests that match fail so, one fault each. */
  fail(method: string, faults: readonly Fault[]): void;
  /** When there have been so many requests of a method. */
  requested(method: string, count: number): Promise<void>;
  /** Cuts the connections of requests that hang. */
  cutHanging(): void;
  close(): Promise<void>;
}

/** Passes HTTP on to a server of the loopback, headers as they are, but for the faults it was told to make. */
export async function startFaultyProxy(port: number): Promise<FaultyProxy> {
  const planned: { readonly method: string; readonly fault: Fault }[] = [];
  const requests: string[] = [];
  const hanging: IncomingMessage[] = [];
  const arrivals = new EventEmitter();
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    arrivals.emit('request');
    const index = planned.findIndex(({ method }) => method === incoming.method);
    const fault = index < 0 ? undefined : planned.splice(index, 1)[0]?.fault;
    if (fault === 'cut') incoming.socket.destroy();
    else if (fault === 'hang') hanging.push(incoming.resume());
    else if (typeof fault === 'object' && 'status' in fault) {
      incoming.resume().on('end', () => outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? ''));
    } else pass(incoming, outgoing, port, fault);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    fail(method, faults) {
      for (const fault of faults) planned.push({ method, fault });
    },
    async requested(method, count) {
      while (requests.filter((line) => line.startsWith(`${method} `)).length < count) await once(arrivals, 'request');
    },
    cutHanging() {
      for (const { socket } of hanging.splice(0)) socket.destroy();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function pass(incoming: IncomingMessage, outgoing: ServerResponse, port: number, fault: Fault | undefined): void {
  const cutAfter = typeof fault === 'object' && 'cutAfter' in fault ? fault.cutAfter : Infinity;
  const { method, url, headers } = incoming;
  const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
    if (fault === 'lose-reply') {
      answer.resume().on('end', () => incoming.socket.destroy());
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    let passed = 0;
    answer.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      outgoing.write(chunk.subarray(0, Math.max(0, chunk.length - Math.max(0, passed - cutAfter))), () => {
        if (passed >= cutAfter) incoming.socket.destroy();
      });
    });
    answer.on('end', () => outgoing.end());
    answer.on('error', () => outgoing.destroy());
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}

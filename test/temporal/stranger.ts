/**
 * What another user of the machine tries: the sockets of a server, and every port given, by gRPC and by HTTP. Prints what
 * led to the workflow that is named. Run as that user: `node stranger.ts '{"sockets": [...], "ports": [...], "workflow": "id"}'`.
 */
import { request } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { Connection } from '@temporalio/client';

interface Given {
  readonly sockets: readonly string[];
  readonly ports: readonly number[];
  readonly workflow: string;
}

const { sockets, ports, workflow }: Given = JSON.parse(process.argv[2] ?? '{}');
const attempts: [name: string, attempt: () => Promise<boolean>][] = [
  ...sockets.map((path) => [`the socket ${path}`, () => opens(path)] as [string, () => Promise<boolean>]),
  ...ports.flatMap((port): [string, () => Promise<boolean>][] => [
    [`gRPC on port ${port}`, () => describes(`127.0.0.1:${port}`)],
    [`HTTP on port ${port}`, () => answers(port)],
  ]),
];
const outcomes = await Promise.all(attempts.map(([, attempt]) => attempt()));
const reached = attempts.flatMap(([name], index) => (outcomes[index] === true ? [name] : []));
process.stdout.write(JSON.stringify(reached));
process.exit(0);

function opens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
}

async function describes(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: 3000 });
    const execution = { workflowId: workflow };
    const { workflowService } = connection;
    await connection.withDeadline(Date.now() + 3000, () =>
      workflowService.describeWorkflowExecution({ namespace: 'default', execution }),
    );
    return true;
  } catch {
    return false;
  }
}

function answers(port: number): Promise<boolean> {
  const path = `/api/v1/namespaces/default/workflows/${workflow}`;
  return new Promise((resolve) => {
    const asked = request({ port, host: '127.0.0.1', path, timeout: 3000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(false));
      response.on('end', () => resolve(Buffer.concat(chunks).includes(workflow)));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

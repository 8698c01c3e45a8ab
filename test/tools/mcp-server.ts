/**
 * A server made with the SDK. `node mcp-server.ts` speaks on its standard streams; with `http` it listens on loopback and
 * prints its address.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const PNG = Buffer.from('not much of a picture').toString('base64');

function text(value: string): { content: { type: 'text'; text: string }[] } {
  return { content: [{ type: 'text', text: value }] };
}

function makeServer(): McpServer {
  const server = new McpServer({ name: 'test', version: '1' });
  const add = server.registerTool.bind(server);
  add(
    'search',
    {
      description: 'Searches.',
      inputSchema: {
        query: z.string().describe('What for.'),
        limit: z.number().int().default(5),
        'in-folder': z.string().optional(),
      },
    },
    (args) => text(JSON.stringify(args)),
  );
  add(
    'statistics',
    { title: 'Counts.', inputSchema: {}, outputSchema: { count: z.number(), names: z.array(z.string()) } },
    () => ({ ...text('{"count": 2}'), structuredContent: { count: 2, names: ['a', 'b'] } }),
  );
  add('print', { description: 'Has the name of a builtin.' }, () => text('printed'));
  add('get-weather', { description: 'Has no name for Python.' }, () => text('sunny'));
  add('mixed', {}, () => ({
    content: [
      { type: 'text', text: 'one' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      { type: 'audio', data: PNG, mimeType: 'audio/wav' },
      { type: 'resource_link', uri: 'file:///a.txt', name: 'a.txt' },
      { type: 'resource', resource: { uri: 'file:///b.txt', text: 'inside b' } },
      { type: 'resource', resource: { uri: 'file:///c', mimeType: 'x/y', blob: PNG } },
    ],
  }));
  add('fails', {}, () => ({ ...text('no rows:\ntable is empty'), isError: true }));
  add('dies', {}, () => {
    process.stderr.write('out of luck\n');
    process.exit(3);
  });
  add('hangs', {}, () => new Promise(() => {}));
  add('large', { inputSchema: { size: z.number() } }, ({ size }) => text('é'.repeat(size)));
  add('environment', {}, () => text(JSON.stringify(process.env)));
  add('child', {}, () => text(String(spawn('sleep', ['600'], { stdio: 'ignore' }).pid)));
  add('pid', {}, () => text(String(process.pid)));
  return server;
}

async function listen(): Promise<void> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const answer = async (
    ...[request, response]: Parameters<StreamableHTTPServerTransport['handleRequest']>
  ): Promise<void> => {
    if (request.headers.authorization !== process.env['EXPECTED']) {
      response.writeHead(401).end('who are you?');
      return;
    }
    const id = request.headers['mcp-session-id'];
    if (request.url === '/forget') sessions.clear();
    let transport = typeof id === 'string' ? sessions.get(id) : undefined;
    if (id !== undefined && transport === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (transport === undefined) {
      const made = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (session) => void sessions.set(session, made),
      });
      transport = made;
      await makeServer().connect(made);
    }
    await transport.handleRequest(request, response);
  };
  const http = createServer((request, response) => void answer(request, response));
  http.listen(0, '127.0.0.1', () => {
    const address = http.address();
    if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}/mcp`);
  });
}

if (process.argv[2] === 'http') await listen();
else {
  process.stderr.write('ready\n');
  console.log('a line that is no message');
  await makeServer().connect(new StdioServerTransport());
}

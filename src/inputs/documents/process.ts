/**
 * The process that reads documents: requests arrive on standard input, a line of JSON each, answers leave on standard
 * output. Libraries are loaded when they are needed. A thread of its own ends the process before it takes too much memory.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import type { DocumentMessage, DocumentRequest } from './kinds.ts';

const MAX_MEMORY = Number(process.argv[2] ?? 0);

const WATCH = `
const { workerData } = require('node:worker_threads');
setInterval(() => {
  if (process.memoryUsage.rss() > workerData) process.kill(process.pid, 'SIGKILL');
}, 20);
`;

async function answer(message: DocumentMessage): Promise<void> {
  if (!process.stdout.write(`${JSON.stringify(message)}\n`)) await once(process.stdout, 'drain');
}

async function read(request: DocumentRequest): Promise<void> {
  try {
    const { readers } = await import('./readers.ts');
    for await (const message of readers[request.kind](request)) await answer(message);
  } catch (error) {
    await answer({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  }
}

new Worker(WATCH, { eval: true, workerData: MAX_MEMORY }).unref();
for await (const line of createInterface({ input: process.stdin })) await read(JSON.parse(line) as DocumentRequest);
process.exit(0);

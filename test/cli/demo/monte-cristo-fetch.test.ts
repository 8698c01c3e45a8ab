import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fetchBook, type FetchBookOptions } from '../../../src/cli/demo/fetch-book.ts';
import { smallBook } from './monte-cristo-book.ts';

const BOOK = smallBook(3);

let folder: string;
let server: Server | undefined;
let requests = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rlm-book-'));
  requests = 0;
});

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

it('fetches the book once and takes it from the cache afterwards', async () => {
  const options = await serving((_, response) => response.end(BOOK));
  expect(await fetchBook(options)).toBe(BOOK);
  expect(await fetchBook(options)).toBe(BOOK);
  expect(requests).toBe(1);
  expect(await readdir(join(folder, 'cache'))).toEqual(['book.txt']);
});

it('fetches it anew when what is in the cache is no book', async () => {
  const options = { ...(await serving((_, response) => response.end(BOOK))), cacheFile: join(folder, 'book.txt') };
  await writeFile(options.cacheFile, BOOK.slice(0, 300));
  expect(await fetchBook(options)).toBe(BOOK);
  expect(await readFile(options.cacheFile, 'utf8')).toBe(BOOK);
});

it('tries again when the server is busy, fails, or cuts the connection', async () => {
  const faults: RequestListener[] = [
    (_, response) => response.writeHead(503).end('busy'),
    (_, response) => void response.writeHead(200, { 'content-length': 9000 }).write('half', () => response.destroy()),
  ];
  const options = await serving((request, response) => {
    const fault = faults.shift();
    if (fault === undefined) response.end(BOOK);
    else fault(request, response);
  });
  expect(await fetchBook(options)).toBe(BOOK);
  expect(requests).toBe(3);
});

it('gives up after three attempts, and names the way out', async () => {
  const options = await serving((_, response) => response.writeHead(500).end());
  await expect(fetchBook(options)).rejects.toThrow(/cannot be fetched from http.*: it answers 500 .*--book <file>/);
  expect(requests).toBe(3);
  await expect(readdir(join(folder, 'cache'))).rejects.toThrow('ENOENT');
});

it('does not try again what will not change', async () => {
  const missing = await serving((_, response) => response.writeHead(404).end());
  await expect(fetchBook(missing)).rejects.toThrow('it answers 404 Not Found');
  expect(requests).toBe(1);
});

it('takes neither another page for the book nor more than a book can have', async () => {
  const options = await serving((_, response) => response.end(`<html>${'This is not the book. '.repeat(50)}</html>`));
  await expect(fetchBook(options)).rejects.toThrow('what came is not the book: it has no chapters');
  await expect(fetchBook({ ...options, sizeLimit: 100 })).rejects.toThrow('larger than 100 bytes');
  await expect(readdir(join(folder, 'cache'))).rejects.toThrow('ENOENT');
});

it('does not wait longer than its time limit', async () => {
  const options = await serving((_, response) => void response.write('Chapter 1.'));
  await expect(fetchBook({ ...options, timeLimit: 50 })).rejects.toThrow('it took longer than 0.05 s');
});

it('says why nobody answers', async () => {
  const options = await serving((_, response) => response.end(BOOK));
  await new Promise((resolve) => server?.close(resolve));
  await expect(fetchBook(options)).rejects.toThrow(/ECONNREFUSED.*--book <file>/);
});

it('ends at once when it is aborted', async () => {
  const abort = new AbortController();
  const options = await serving(() => abort.abort(new Error('no longer wanted')));
  await expect(fetchBook({ ...options, signal: abort.signal })).rejects.toThrow('no longer wanted');
  expect(requests).toBe(1);
});

async function serving(listener: RequestListener): Promise<FetchBookOptions & { readonly url: string }> {
  server = createServer((request, response) => {
    requests += 1;
    listener(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/book.txt`, cacheFile: join(folder, 'cache', 'book.txt'), pauses: [1, 1] };
}

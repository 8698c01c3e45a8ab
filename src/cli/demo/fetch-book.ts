import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { writeAtomically } from '../../files/write-atomically.ts';
import { CommandError } from '../report-error.ts';
import { chaptersOf } from './chapters-of.ts';

/** The novel at Project Gutenberg: ebook 1184, plain text, UTF-8. */
export const BOOK_URL = 'https://www.gutenberg.org/cache/epub/1184/pg1184.txt';

export interface FetchBookOptions {
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** Default: Project Gutenberg's. */
  readonly url?: string;
  /** Where the text is kept; taken from there the next time. */
  readonly cacheFile: string;
  readonly signal?: AbortSignal;
  /** Milliseconds for each attempt, until the last byte. Default 60,000. */
  readonly timeLimit?: number;
  /** Bytes. Default 16 million; the book has 2.8. */
  readonly sizeLimit?: number;
  /** Milliseconds before each further attempt. Default: 1000, then 4000. */
  readonly pauses?: readonly number[];
}

/**
 * The text of the novel: from the cache, else from Project Gutenberg, then kept.
 *
 * @throws CommandError when it cannot be had, naming `--book` as the way out; the signal's reason when aborted
 */
export async function fetchBook(options: FetchBookOptions): Promise<string> {
  const { cacheFile, signal, url = BOOK_URL, pauses = [1000, 4000] } = options;
  const cached = await readFile(cacheFile, 'utf8').catch(() => undefined);
  if (cached !== undefined && isBook(cached)) return cached;
  const text = await download(url, options).catch(async (error: unknown) => {
    let failure = error;
    for (const pause of pauses) {
      signal?.throwIfAborted();
      if (!(failure instanceof DownloadError) || !failure.passes) break;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        await delay(pause, undefined, { signal });
        // oxlint-disable-next-line no-await-in-loop
        return await download(url, options);
      } catch (next) {
        failure = next;
      }
    }
    signal?.throwIfAborted();
    throw wayOut(url, failure);
  });
  if (!isBook(text)) throw wayOut(url, new Error('what came is not the book: it has no chapters'));
  await keep(cacheFile, text);
  return text;
}

/** An attempt that failed, and whether another one may succeed. */
class DownloadError extends Error {
  readonly passes: boolean;

  constructor(message: string, passes: boolean) {
    super(message);
    this.passes = passes;
  }
}

async function download(url: string, options: FetchBookOptions): Promise<string> {
  const { fetch: get = fetch, signal, timeLimit = 60_000, sizeLimit = 16_000_000 } = options;
  const time = AbortSignal.timeout(timeLimit);
  try {
    const response = await get(url, { signal: signal === undefined ? time : AbortSignal.any([signal, time]) });
    if (!response.ok) {
      await response.body?.cancel();
      const passes = response.status === 429 || response.status >= 500;
      throw new DownloadError(`it answers ${response.status} ${response.statusText}`.trim(), passes);
    }
    return new TextDecoder().decode(await bytesOf(response, sizeLimit));
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    if (time.aborted) throw new DownloadError(`it took longer than ${timeLimit / 1000} s`, true);
    throw new DownloadError(reasonOf(error), true);
  }
}

async function bytesOf(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit) throw new DownloadError(`it is larger than ${limit} bytes, so it is not the book`, false);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Another process may do the same at the same time: a reader never sees half a file. */
async function keep(file: string, text: string): Promise<void> {
  makePrivateFolder(dirname(file));
  await writeAtomically(file, text);
}

function isBook(text: string): boolean {
  try {
    return chaptersOf(text).length > 0;
  } catch {
    return false;
  }
}

function wayOut(url: string, error: unknown): CommandError {
  return new CommandError(
    `The novel cannot be fetched from ${url}: ${reasonOf(error)}. ` +
      'Try again later, or fetch the plain text of ebook 1184 by other means and name it with --book <file>.',
  );
}

/** What fetch says itself is "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
}

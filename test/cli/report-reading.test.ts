import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { reportReading } from '../../src/cli/report-reading.ts';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';

const root = mkdtempSync(join(tmpdir(), 'rlm-reading-'));
const blobs = createFileBlobStore({ path: root });
const lines: string[] = [];
const log = (line: string): void => void lines.push(line);
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  lines.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('reading inputs', () => {
  it('says nothing where it is quick, and gives on what was read and stored', async () => {
    const read = await reportReading(blobs, log, (counted) => counted.putStream(Readable.from([Buffer.from('abc')])));
    expect(read).toMatchObject({ size: 3 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
  });

  it('says how much there was, again and again, over all inputs', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const first = Promise.withResolvers<undefined>();
    const reading = reportReading(blobs, log, async (counted) => {
      await counted.putStream(Readable.from([Buffer.alloc(2_000_000), Buffer.alloc(500_000)]));
      first.resolve(undefined);
      await promise;
      await counted.putStream(Readable.from([Buffer.alloc(1_000_000)]));
    });
    await first.promise;
    await vi.advanceTimersByTimeAsync(5000);
    expect(lines).toEqual(['Reading the inputs: 2 MB so far.']);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(lines).toHaveLength(2);
    resolve(undefined);
    await reading;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toHaveLength(2);
  });

  it('says where nothing arrives, as from a pipe that nobody writes to', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    async function* late(): AsyncGenerator<Uint8Array> {
      await promise;
      yield Buffer.from('x');
    }
    const reading = reportReading(blobs, log, (counted) =>
      counted.putStream(Readable.from(late(), { objectMode: false })),
    );
    await vi.advanceTimersByTimeAsync(5000);
    expect(lines).toEqual(['Reading the inputs: nothing has arrived yet.']);
    resolve(undefined);
    expect(await reading).toMatchObject({ size: 1 });
  });

  it('ends with a fault of what is read', async () => {
    const failing = reportReading(blobs, log, () => Promise.reject(new Error('rows.csv is empty')));
    await expect(failing).rejects.toThrow('rows.csv is empty');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
  });
});

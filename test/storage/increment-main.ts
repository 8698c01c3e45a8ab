import { writeSync } from 'node:fs';
import { openBlobStore } from '../../src/storage/open-blob-store.ts';
import type { StoreLocation } from './store-location.ts';

/*
 * A process that counts up a reference as often as it is told, and writes a line for each success. Its arguments:
 * location of the store as JSON, name of the reference, increments.
 */

const [location = '', name = '', increments = ''] = process.argv.slice(2);
const { storage, env } = JSON.parse(location) as StoreLocation;
const store = await openBlobStore({ storage, env: env ?? {}, cwd: '/', stateDirectory: '/' });
let current = await store.readReference(name);
for (let done = 0; done < Number(increments);) {
  const next = Number(current?.value ?? 0) + 1;
  const outcome = await store.swapReference(name, next, current?.version ?? null);
  if (outcome.kind === 'swapped') {
    done += 1;
    current = { value: next, version: outcome.version };
    writeSync(1, `${next}\n`);
  } else {
    ({ current } = outcome);
  }
}

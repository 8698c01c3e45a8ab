import type { StorageConfig } from '../../src/domain/config.ts';

/** How another process opens a store. */
export interface StoreLocation {
  readonly storage: StorageConfig;
  readonly env?: NodeJS.ProcessEnv;
}

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createPrivateMarks, type PrivateMarks } from './config/private-marks.ts';
import { canonicalJson } from './domain/records.ts';

/** A run as its workflow gets it. */
export interface GrantedRun {
  readonly run: string;
  readonly type: 'investigate' | 'analyze';
  readonly input: object;
}

/**
 * What the user of this state folder started themselves, with `rlm run`, `rlm analyze` or from a program: their workers
 * do it whatever their configuration says. A grant is for one run id and one input; who copies its hash from a history
 * can start the very same run again and nothing else. No one can make one who cannot write to the state folder.
 */
export interface Grants {
  /** @returns the hash, for the input to name */
  issue(of: GrantedRun): Promise<string>;
  /** Whether the hash that an input names is of this run and input, and whether the user has granted it here. */
  check(of: GrantedRun, hash: string): Promise<'granted' | 'unknown' | 'of another run'>;
  /** Specifications that a worker of this state folder has prepared. */
  readonly specifications: PrivateMarks;
}

export function createGrants(stateDirectory: string): Grants {
  const inputs = createPrivateMarks(join(stateDirectory, 'grants'));
  return {
    async issue(of) {
      const hash = grantHash(of);
      await inputs.add(hash, of.run);
      return hash;
    },
    async check(of, hash) {
      if (grantHash(of) !== hash) return 'of another run';
      return (await inputs.has(hash)) ? 'granted' : 'unknown';
    },
    specifications: createPrivateMarks(join(stateDirectory, 'prepared')),
  };
}

function grantHash({ run, type, input }: GrantedRun): string {
  const { grant: _, ...rest } = input as { readonly grant?: unknown };
  return createHash('sha256')
    .update(canonicalJson({ v: 1, run, type, input: rest }))
    .digest('hex');
}

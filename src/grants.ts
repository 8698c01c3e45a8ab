import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createPrivateMarks, type PrivateMarks } from './config/private-marks.ts';
import type { BudgetMessage } from './domain/messages.ts';
import { canonicalJson } from './domain/records.ts';

/** A run as its workflow gets it, or a message that gives it new limits. */
export interface Granted {
  /** Or the batch, or the schedule, whose runs get this input. */
  readonly run: string;
  readonly type: 'investigate' | 'analyze' | 'setBudget';
  readonly input: object;
}

/**
 * What the user of this state folder started themselves, with `rlm run`, `rlm analyze` or from a program: their workers
 * do it whatever their configuration says. A grant is for one run id and one input; who copies its hash from a history
 * can start the very same run again and nothing else. No one can make one who cannot write to the state folder.
 */
export interface Grants {
  /** @returns the hash, for the input to name */
  issue(of: Granted): Promise<string>;
  /** Whether the hash that an input names is of this run and input, and whether the user has granted it here. */
  check(of: Granted, hash: string): Promise<'granted' | 'unknown' | 'of another run'>;
  /** Specifications that a worker of this state folder has prepared. */
  readonly specifications: PrivateMarks;
  /** All marks, of either kind; noted with each is its run. */
  readonly marks: readonly PrivateMarks[];
}

/**
 * Reference that says that the blobs which an input names were stored for it. Only who can write to the blob store can
 * make one: of anybody else who reaches Temporal, no input leads to the data of another run.
 *
 * @param grant of the run and its input
 */
export function storedInputsName(run: string, grant: string): string {
  return `${storedInputsOf(run)}${grant}`;
}

/** What the names of all of them begin with that a run has. */
export function storedInputsOf(run: string): string {
  return `inputs/${run}/`;
}

export function createGrants(stateDirectory: string): Grants {
  const inputs = createPrivateMarks(join(stateDirectory, 'grants'));
  const specifications = createPrivateMarks(join(stateDirectory, 'prepared'));
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
    specifications,
    marks: [inputs, specifications],
  };
}

/** A message that gives a run new limits, with its grant. */
export async function grantBudget(
  grants: Pick<Grants, 'issue'>,
  run: string,
  limits: Omit<BudgetMessage, 'id' | 'grant'>,
): Promise<BudgetMessage> {
  const input = { id: randomUUID(), ...limits };
  return { ...input, grant: await grants.issue({ run, type: 'setBudget', input }) };
}

function grantHash({ run, type, input }: Granted): string {
  const { grant: _, grant_for: __, ...rest } = input as { readonly grant?: unknown; readonly grant_for?: unknown };
  return createHash('sha256')
    .update(canonicalJson({ v: 1, run, type, input: rest }))
    .digest('hex');
}

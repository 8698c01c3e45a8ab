import { errorMessage } from '../domain/error-message.ts';
import { TypedError } from '../domain/failures.ts';
import type { SandboxLabels, SandboxListing, SandboxProvider } from './provider.ts';

export interface SweepInput {
  readonly provider: SandboxProvider;
  /** Only sandboxes of this cluster and namespace are touched. */
  readonly cluster: string;
  readonly namespace: string;
  /** Whether the agent's workflow is still running; asked by name, not from a list that may lag. */
  readonly isOpen: (labels: SandboxLabels) => Promise<boolean>;
  readonly log: (line: string) => void;
}

export interface SweepResult {
  readonly removed: number;
  readonly renewed: number;
}

/** Sandboxes looked after at a time: each takes two or three requests, which may be to far away. */
const LANES = 8;

/**
 * Removes sandboxes whose agent is no longer running, and renews the lease of those whose agent is: nobody speaks to a
 * kernel while its agent waits for others.
 */
export async function sweep(input: SweepInput): Promise<SweepResult> {
  let [removed, renewed] = [0, 0];
  const listings = await input.provider.list();
  const queue = listings.filter(
    ({ labels }) => labels.cluster === input.cluster && labels.namespace === input.namespace,
  );
  const lookAfter = async (listing: SandboxListing): Promise<void> => {
    try {
      if (await input.isOpen(listing.labels)) {
        const done = await renew(input.provider, listing);
        renewed += done;
      } else {
        await input.provider.destroy(listing.handle);
        removed += 1;
      }
    } catch (error) {
      input.log(`the sweep could not look after sandbox ${listing.handle.id}: ${errorMessage(error)}`);
    }
  };
  const lane = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await lookAfter(next);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  if (removed > 0) input.log(`removed ${removed} sandbox${removed === 1 ? '' : 'es'} whose agent had ended`);
  return { removed, renewed };
}

/** @returns how many were renewed: none where it is lost, which its agent notices when it uses it */
async function renew(provider: SandboxProvider, { handle }: SandboxListing): Promise<number> {
  const sandbox = await provider.connect(handle).catch(() => undefined);
  if (sandbox === undefined) return 0;
  try {
    await sandbox.kernel.renew();
    return 1;
  } catch (error) {
    if (error instanceof TypedError && error.type === 'Sandbox.Lost') return 0;
    throw error;
  }
}

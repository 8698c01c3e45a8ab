import { createInterface } from 'node:readline/promises';
import type { RunConfig } from '../../domain/config.ts';
import type { RunSpecification } from '../../domain/records.ts';
import { listRuns } from '../../results/find-run.ts';
import { createChains } from '../../storage/chain.ts';
import type { BlobStore } from '../../storage/blob-store.ts';
import { EXIT_USAGE } from '../exit-codes.ts';
import { say, type Io } from '../io.ts';
import { formatCost, plural } from '../live/format.ts';
import { CommandError } from '../report-error.ts';

/** What a batch may cost, in USD. */
export interface Estimate {
  /** From runs like these; undefined where there were none that cost something. */
  readonly likely: number | undefined;
  /** What limits allow at most; undefined without any. */
  readonly most: number | undefined;
  /** Runs that `likely` is from. */
  readonly from: number;
}

/** Runs that are looked at. */
const MAX_LOOKED_AT = 200;

/** From the mean of the newest runs of the same type and model. */
export async function estimateCost(
  blobs: BlobStore,
  {
    type,
    config,
    count,
    maxCost,
  }: { type: RunSpecification['type']; config: RunConfig; count: number; maxCost: number | undefined },
): Promise<Estimate> {
  const chains = createChains(blobs);
  const costs: number[] = [];
  for (const { spec, outcome } of (await listRuns(blobs)).slice(0, MAX_LOOKED_AT)) {
    if (outcome === undefined || outcome.usage.cost === 0) continue;
    // oxlint-disable-next-line no-await-in-loop -- few, and mostly cached
    const run = await chains.specification(spec);
    if (run.type === type && run.config.model.name === config.model.name) costs.push(outcome.usage.cost);
  }
  const mean = costs.length === 0 ? undefined : costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
  const each = config.rlm.max_cost;
  const limits = [maxCost, each === undefined ? undefined : each * count].filter((limit) => limit !== undefined);
  const most = limits.length === 0 ? undefined : Math.min(...limits);
  const likely = mean === undefined ? undefined : Math.min(mean * count, most ?? Infinity);
  return { likely, most, from: costs.length };
}

export function describeEstimate({ likely, most, from }: Estimate, count: number): string {
  const about =
    likely === undefined
      ? 'cost unknown (no earlier run of this kind with this model)'
      : `about ${formatCost(likely)} (the mean of ${plural(from, 'earlier run')})`;
  const limit = most === undefined ? 'no limit is set (--max-cost, --item-max-cost)' : `at most ${formatCost(most)}`;
  return `${plural(count, 'item')}: ${about}; ${limit}.`;
}

/** @throws CommandError where it costs too much to be started without a word */
export async function confirmCost(
  io: Io,
  { likely, most }: Estimate,
  { askAbove, yes }: { readonly askAbove: number; readonly yes: boolean },
): Promise<void> {
  const expected = likely ?? most ?? 0;
  if (yes || expected <= askAbove) return;
  const question = `This may cost ${formatCost(expected)}. Start it? [y/N] `;
  if (!io.stdin.isTTY || !io.stderr.isTTY) {
    throw new CommandError(
      `This may cost ${formatCost(expected)}, more than ${formatCost(askAbove)} (--ask-above). Add --yes to start it all the same.`,
      EXIT_USAGE,
    );
  }
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    if (!/^y(es)?$/i.test((await terminal.question(question)).trim()))
      throw new CommandError('Nothing was started.', EXIT_USAGE);
  } finally {
    terminal.close();
  }
  say(io, '');
}

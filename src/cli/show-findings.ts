import type { ComparedFindings } from '../domain/findings.ts';
import { findRun } from '../results/find-run.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { lastReport } from './batch/report.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import { oneLine } from './live/text.ts';
import { noSuchRun } from './look.ts';
import { renderFindings } from './render-findings.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession } from './session.ts';

export interface FindingsOptions extends TemporalOptions, JsonOption {
  readonly all?: boolean;
  readonly quietIfUnchanged?: boolean;
}

/** `rlm findings`, of a run or of the runs of a batch. */
export function showFindings(io: Io, name: string, options: FindingsOptions): Promise<number> {
  return withSession(io, options, async ({ blobs }) => {
    const reference = await findRun(blobs, name);
    const report = reference === undefined ? await lastReport(blobs, name) : undefined;
    if (reference === undefined && report === undefined) throw await noSuchRun(name, blobs);
    if (reference !== undefined && reference.outcome === undefined)
      throw new CommandError(`Run ${name} has not ended: rlm watch ${name} follows it.`, EXIT_FAILED);
    const found =
      report === undefined
        ? await comparedFindings(blobs, [{ run: name }])
        : await comparedFindings(
            blobs,
            report.items.filter(({ findings }) => findings !== undefined),
          );
    if (found.length === 0)
      throw new CommandError(
        `${report === undefined ? 'Run' : 'Batch'} ${name} has no findings to compare: rlm.findings in its configuration declares them.`,
        EXIT_FAILED,
      );
    const shown = options.quietIfUnchanged === true ? found.filter(({ compared }) => isChanged(compared)) : found;
    await write(io, report === undefined ? 'run' : 'batch', shown, options);
    const heldBack = shown.reduce((sum, { compared }) => sum + compared.held_back, 0);
    if (heldBack > 0) say(io, `${heldBack} more are new and held back until the next run (rlm.findings.max_new).`);
    return EXIT_DONE;
  });
}

interface RunFindings {
  readonly run: string;
  /** Of a batch. */
  readonly item?: string;
  readonly compared: ComparedFindings;
}

async function comparedFindings(
  blobs: BlobStore,
  runs: readonly Pick<RunFindings, 'run' | 'item'>[],
): Promise<RunFindings[]> {
  const chains = createChains(blobs);
  const found: RunFindings[] = [];
  for (const each of runs) {
    // oxlint-disable-next-line no-await-in-loop -- one after another: a batch may have many
    const findings = (await findRun(blobs, each.run))?.outcome?.findings;
    // oxlint-disable-next-line no-await-in-loop
    if (findings !== undefined)
      found.push({ ...each, compared: (await chains.getJson(findings.ref)) as ComparedFindings });
  }
  return found;
}

function isChanged(compared: ComparedFindings): boolean {
  return compared.new.length + compared.changed.length + compared.gone.length > 0;
}

async function write(
  io: Io,
  kind: 'run' | 'batch',
  found: readonly RunFindings[],
  { json, all }: FindingsOptions,
): Promise<void> {
  if (json === true && kind === 'batch')
    return writeJson(
      io,
      found.map(({ item, run, compared }) => ({ item, run, ...compared })),
    );
  for (const { item, compared } of found) {
    const title = item === undefined ? '' : `# ${oneLine(item)}\n\n`;
    // oxlint-disable-next-line no-await-in-loop -- in this order
    await (json === true
      ? writeJson(io, compared)
      : writeResult(io, `${title}${renderFindings(compared, all === true)}`));
  }
}

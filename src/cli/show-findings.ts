import type { ComparedFindings, Finding } from '../domain/findings.ts';
import { isRecord } from '../domain/is-record.ts';
import { findRun } from '../results/find-run.ts';
import { createChains } from '../storage/chain.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import { noSuchRun } from './look.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession } from './session.ts';

export interface FindingsOptions extends TemporalOptions, JsonOption {
  readonly all?: boolean;
  readonly quietIfUnchanged?: boolean;
}

/** `rlm findings`. */
export function showFindings(io: Io, run: string, options: FindingsOptions): Promise<number> {
  return withSession(io, options, async ({ blobs }) => {
    const reference = await findRun(blobs, run);
    if (reference === undefined) throw await noSuchRun(run, blobs);
    const { outcome } = reference;
    if (outcome === undefined)
      throw new CommandError(`Run ${run} has not ended: rlm watch ${run} follows it.`, EXIT_FAILED);
    if (outcome.findings === undefined)
      throw new CommandError(
        `Run ${run} has no findings to compare: rlm.findings in its configuration declares them.`,
        EXIT_FAILED,
      );
    const { findings } = outcome;
    if (options.quietIfUnchanged === true && findings.new + findings.changed + findings.gone === 0) return EXIT_DONE;
    const compared = (await createChains(blobs).getJson(findings.ref)) as ComparedFindings;
    if (options.json === true) await writeJson(io, compared);
    else await writeResult(io, renderFindings(compared, options.all === true));
    if (compared.held_back > 0)
      say(io, `${compared.held_back} more are new and held back until the next run (rlm.findings.max_new).`);
    return EXIT_DONE;
  });
}

/** As Markdown: what is new first. */
export function renderFindings({ new: fresh, changed, gone, open, since }: ComparedFindings, all: boolean): string {
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['New', fresh.map(lineOf)],
    ['Changed', changed.map(({ before, now }) => `${lineOf(now)} (was ${lineOf(before)})`)],
    ['Gone', gone.map(lineOf)],
    ...(all ? [['Still open', open.map(lineOf)] as const] : []),
  ];
  const counts = `${fresh.length} new, ${changed.length} changed, ${gone.length} gone, ${open.length} still open`;
  return [
    since === null ? `${counts}.` : `${counts}, since ${since}.`,
    ...sections.flatMap(([title, lines]) =>
      lines.length === 0 ? [] : ['', `## ${title}`, '', ...lines.map((line) => `- ${line}`)],
    ),
    '',
  ].join('\n');
}

function lineOf(finding: Finding): string {
  return Object.entries(finding)
    .map(
      ([name, value]) => `${name}: ${isRecord(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)}`,
    )
    .join(', ');
}

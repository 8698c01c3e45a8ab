import { join } from 'node:path';
import { reportRun } from '../client/report-run.ts';
import { createResultsWriter } from '../results/results-files.ts';
import { runDocument } from '../results/run-document.ts';
import { say, type Io } from './io.ts';
import { noSuchRun } from './look.ts';
import type { JsonOption, TalkOptions } from './options.ts';
import { resultsFolder } from './results-folder.ts';
import { presentRun } from './present-run.ts';
import type { Session } from './session.ts';

/** What a command that follows a run does when the run has ended already: the same as at its end. */
export async function presentStored(
  io: Io,
  session: Session,
  run: string,
  options: TalkOptions & JsonOption & { readonly output?: string; readonly results?: string },
): Promise<number> {
  const { blobs } = session;
  const report = await reportRun({ blobs, runs: undefined }, run);
  if (report?.snapshot === undefined) throw await noSuchRun(run, blobs);
  const { snapshot, reader, status, reason } = report;
  if (options.results !== undefined) {
    const folder = resultsFolder(session.cwd, options.results);
    await createResultsWriter({ blobs, reader, folder, run }).write(snapshot);
  }
  if (options.quiet !== true) say(io, `Run ${run} has ended.`);
  const results = options.results === undefined ? null : join(options.results, `${run}.detail.json`);
  const document = await runDocument(blobs, snapshot, { status, reason, results, now: Date.now() });
  return presentRun(io, session.cwd, document, options);
}

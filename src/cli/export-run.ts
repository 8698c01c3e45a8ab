import { stringifyJson } from '../domain/ordered-json.ts';
import { exportHtml } from '../viewer/export-html.ts';
import { formatBytes } from './clean/report.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import { noSuchRun } from './look.ts';
import type { TemporalOptions } from './options.ts';
import { checkWritable, writeOutput } from './output-file.ts';
import { CommandError } from './report-error.ts';
import { withSession } from './session.ts';
import { openSource } from './view-runs.ts';

export interface ExportOptions extends TemporalOptions {
  readonly html?: boolean;
  readonly json?: boolean;
  readonly output?: string;
  readonly redact?: boolean;
}

/** `rlm export`. */
export function exportRun(io: Io, named: string, options: ExportOptions): Promise<number> {
  const isJson = options.json === true || (options.html !== true && options.output?.endsWith('.json') === true);
  const isHtml = options.html === true || /\.html?$/.test(options.output ?? '');
  if (!isHtml && !isJson) throw new CommandError('Say what to write: --html or --json.');
  return withSession(io, options, async (session) => {
    const { source, shown: run } = await openSource(io, session, named, options);
    if (run === undefined) throw new CommandError(`${named} holds several runs: name one of its files.`);
    const file = options.output ?? `${run.replaceAll(/[^\w.@+-]/g, '_')}.${isJson ? 'json' : 'html'}`;
    await checkWritable(session.cwd, file);
    const text = isJson
      ? `${stringifyJson(await source.document(run), 2)}\n`
      : await exportHtml(source, run, { redact: options.redact === true });
    if (text === undefined) throw await noSuchRun(run, session.blobs);
    const bytes = Buffer.from(text);
    await writeOutput(session.cwd, file, bytes);
    say(io, `Run ${run} is in ${file} (${formatBytes(bytes.length)}).`);
    return EXIT_DONE;
  });
}

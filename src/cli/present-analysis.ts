import { join, parse } from 'node:path';
import { errorMessage } from '../domain/error-message.ts';
import type { PlotSpec } from '../chart/plot-spec.ts';
import { analysisSignature } from '../domain/signature/analysis-signature.ts';
import type { RunDocument } from '../results/run-document.ts';
import { exitCodeOf } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import type { JsonOption, TalkOptions } from './options.ts';
import { writeOutput } from './output-file.ts';
import { summaryLines } from './summary-lines.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** What `--plot` names. @throws TypedError `Input.Invalid`, also where the libraries that draw are not installed */
export async function checkPlot(text: string): Promise<PlotSpec> {
  const [{ parsePlot }, { drawingLibraries }] = await Promise.all([
    import('../chart/plot-spec.ts'),
    import('../chart/libraries.ts'),
  ]);
  const plot = parsePlot(text);
  await drawingLibraries();
  return plot;
}

/** Before anything is spent. @throws TypedError `Input.Invalid` where no output can hold what the plot shows */
export async function checkPlotAgainst(signature: unknown, plot: PlotSpec): Promise<void> {
  const { checkPlotFits } = await import('../chart/plot-fits.ts');
  checkPlotFits(analysisSignature(signature, undefined).outputs, plot);
}

export interface AnalysisOutput extends TalkOptions, JsonOption {
  readonly output?: string;
  /** Folder of the picture, where there is no `output`. */
  readonly results?: string;
  readonly plot?: PlotSpec | undefined;
}

/**
 * Prints what came of an analysis: its fields as JSON on standard output, or into a file; the rest on standard error.
 *
 * @returns the exit code
 */
export async function presentAnalysis(
  io: Io,
  cwd: string,
  document: RunDocument,
  options: AnalysisOutput,
): Promise<number> {
  const { answer, status } = document;
  if (options.quiet !== true) for (const line of summaryLines(document)) say(io, line);
  else if (document.error !== null && status !== 'paused') say(io, `rlm: ${document.error}`);
  if (options.plot !== undefined && answer !== null)
    await drawPlot(io, cwd, document, { ...options, plot: options.plot });
  const text = answer === null ? undefined : `${stringifyJson(answer, 2)}\n`;
  if (options.output !== undefined && text !== undefined) {
    await writeOutput(cwd, options.output, Buffer.from(text));
    if (options.quiet !== true) say(io, `The fields are in ${options.output}.`);
  }
  if (options.json === true) await writeJson(io, document);
  else if (options.output === undefined && text !== undefined) await writeResult(io, text);
  return exitCodeOf(document);
}

/** Named after the file of the fields, which it never replaces; else after the run, in the folder of its results. */
export function pictureFile(
  ending: '.svg' | '.png',
  run: string,
  { output, results = '.' }: Pick<AnalysisOutput, 'output' | 'results'>,
): string {
  if (output === undefined) return join(results, run + ending);
  const { dir, name, base, ext } = parse(output);
  return join(dir, (['.svg', '.png'].includes(ext.toLowerCase()) ? base : name) + ending);
}

/** A picture that cannot be drawn loses nothing of the result. */
async function drawPlot(
  io: Io,
  cwd: string,
  { answer, run_id }: RunDocument,
  { plot, ...options }: AnalysisOutput & { readonly plot: PlotSpec },
): Promise<void> {
  try {
    const [{ rowsOf }, { renderChart }] = await Promise.all([
      import('../chart/rows-of.ts'),
      import('../chart/render-chart.ts'),
    ]);
    const { rows, scale, skipped } = rowsOf(Object(answer) as Record<string, unknown>, plot);
    const { svg, png, notes } = await renderChart(rows, plot);
    const [vector, pixels] = [pictureFile('.svg', run_id, options), pictureFile('.png', run_id, options)];
    await Promise.all([writeOutput(cwd, vector, Buffer.from(svg)), writeOutput(cwd, pixels, png)]);
    if (options.quiet === true) return;
    say(io, `The picture is in ${vector} and ${pixels}.`);
    if (skipped > 0)
      say(
        io,
        `Note: ${skipped} entries are not in it, because ${plot.x} is no ${scale === 'dates' ? 'date' : 'number'} or ${plot.y} no number there.`,
      );
    for (const note of notes) say(io, `Note: ${note}`);
  } catch (error) {
    say(io, `Note: there is no picture: ${errorMessage(error)}`);
  }
}

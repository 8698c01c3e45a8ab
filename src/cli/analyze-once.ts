import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { planAnalysis } from '../client/start-analysis.ts';
import { checkBeforeRun } from '../client/check-models.ts';
import type { ConfigInput } from '../config/schema.ts';
import { ANALYSIS_DEFAULTS } from '../domain/config.ts';
import { readInputs } from '../inputs/index.ts';
import { cassetteOverrides } from './cassette-file.ts';
import { say, type Io } from './io.ts';
import { checkLaunch, launchRun, type LaunchOptions } from './launch-run.ts';
import { checkPlot, checkPlotAgainst, presentAnalysis } from './present-analysis.ts';
import { CommandError } from './report-error.ts';
import { reportReading } from './report-reading.ts';
import { openSession } from './session.ts';
import { withOptions } from './settings.ts';
import { readInstructions, signatureForm } from './signature-form.ts';
import { openTools, refuseDetachedTools } from './open-tools.ts';

/** Milliseconds in which small inputs are read. */
const FIRST_LOOK = 500;

/** Endings of files that a person would open with a program that reads no JSON. */
const OTHER_FORMS = /\.(?:csv|tsv|tab|xlsx?|xlsm|ods|parquet|pdf|docx?|ya?ml|toml|xml|html?|md|svg|png|jpe?g)$/i;

export interface AnalyzeOptions extends LaunchOptions {
  readonly signature: string;
  readonly input?: readonly string[];
  readonly instructions?: string;
  readonly describe?: readonly string[];
  readonly tools?: readonly string[];
  readonly plot?: string;
}

/**
 * `rlm analyze`: starts an analysis, or finds it again, and sees it through.
 *
 * @param overrides settings that win over the configuration file's
 * @param resumeCommand - command that attaches to the run again; default: derived from the options
 * @returns the exit code
 */
export async function analyzeOnce(
  io: Io,
  options: AnalyzeOptions,
  overrides: ConfigInput = {},
  resumeCommand?: string,
): Promise<number> {
  const plot = options.plot === undefined ? undefined : await checkPlot(options.plot);
  const settings = withOptions(options, { ...overrides, ...cassetteOverrides(io.cwd, options) });
  const session = await openSession(io, options, settings, ANALYSIS_DEFAULTS);
  const { input = [] } = options;
  if (options.detach === true) refuseDetachedTools(options.tools ?? []);
  if (options.instructions === '-' && input.some((each) => /=@?-(?:;|$)/.test(each)))
    throw new CommandError('Standard input can be read once: for --instructions - or for one -i name=-, not for both.');
  const tools = await openTools(session, options.tools, (line) => say(io, line));
  if (options.verbose === true && tools !== undefined)
    say(io, `Tools: ${tools.descriptions.map(({ name }) => name).join(', ')}`);
  try {
    const instructions =
      options.instructions === '-' ? await text(io.stdin) : await readInstructions(io.cwd, options.instructions);
    await checkLaunch(session, options);
    if (options.output !== undefined && OTHER_FORMS.test(options.output))
      say(io, `Note: ${options.output} will hold the fields as JSON, whatever its name says.`);
    const signature = await signatureForm(io.cwd, options);
    if (plot !== undefined) await checkPlotAgainst(signature, plot);
    const plan = planAnalysis(
      session,
      {
        ...(options.id === undefined ? {} : { id: options.id }),
        signature,
        ...(instructions === undefined ? {} : { instructions }),
      },
      {
        store: (wanted) =>
          reportReading(
            session.blobs,
            (line) => {
              if (options.quiet !== true) say(io, line);
            },
            (blobs) => readInputs(blobs, wanted, input, { cwd: io.cwd, stdin: io.stdin }),
          ),
        typed: { inputs: input, cwd: input.some((each) => each.includes('@')) ? io.cwd : '' },
      },
      { config: session.config, tools: tools?.descriptions ?? [] },
    );
    // What was typed wrong shows itself at once; what is large is read while there is a key for it.
    await Promise.race([plan.prepared, delay(FIRST_LOOK)]);
    if (options.worker && options.replay === undefined) await checkBeforeRun(session.config, session, options.id);
    // Before a server is started for nothing.
    await plan.prepared;
    return await launchRun({
      io,
      session,
      plan,
      options,
      settings,
      resumeCommand,
      ...(tools === undefined ? {} : { host: { tools } }),
      present: (document) => presentAnalysis(io, session.cwd, document, { ...options, plot }),
    });
  } finally {
    await tools?.close();
    await session.close();
  }
}

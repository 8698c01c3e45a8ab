import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { errorMessage } from '../../domain/error-message.ts';
import { newRunId } from '../../client/run-arguments.ts';
import { cacheDirectory, stateDirectory } from '../../config/directories.ts';
import { makePrivateFolder } from '../../files/private-folder.ts';
import { writeAtomically } from '../../files/write-atomically.ts';
import { analyzeOnce } from '../analyze-once.ts';
import { commandName, shellWord } from '../command-name.ts';
import { EXIT_CANCELLED, EXIT_DONE } from '../exit-codes.ts';
import { say, type Io } from '../io.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from '../options.ts';
import { resultsFolder } from '../results-folder.ts';
import { CommandError } from '../report-error.ts';
import { startDemoModel } from './demo-model.ts';
import { atHome, checkedId, checkedLatency, scriptedModel } from './demo-run.ts';
import { chaptersOf } from './chapters-of.ts';
import { fetchBook } from './fetch-book.ts';
import { readTask, type MonteCristoTask } from './scenario.ts';

export interface MonteCristoDemoOptions extends TemporalOptions, TalkOptions, JsonOption {
  /** The novel in plain text; default: fetched from Project Gutenberg once. */
  readonly book?: string;
  /** File for the picture, .svg or .png. */
  readonly output?: string;
  readonly id?: string;
  readonly results: string;
  /** Milliseconds that the model takes for a reply. */
  readonly latency: string;
}

/**
 * `rlm demo monte-cristo`: a real analysis whose model is scripted. It is the command `rlm analyze` with the novel's
 * chapters, and a picture of what came of it.
 *
 * @returns the exit code
 */
export async function runMonteCristoDemo(io: Io, options: MonteCristoDemoOptions): Promise<number> {
  const run = checkedId(options.id) ?? newRunId('monte-cristo', new Date());
  const latency = checkedLatency(options.latency);
  checkPicture(options.output);
  const { env } = io;
  const rlm = commandName(env);
  const tell = (line: string): void => {
    if (options.quiet !== true) say(io, line);
  };

  tell('No key, no cost: the model of this demo is scripted. Its code was written in advance, and what it says of');
  tell('chapters comes from rules: the known story, and words of wealth and want in the text. It is no judgement of a');
  tell(
    'model. Everything else is real: the agent, its sandbox, its code, the batches of queries, the check of the result.',
  );
  const chapters = await chaptersFile(io, options.book, cacheDirectory(env), tell);
  await mkdir(resultsFolder(io.cwd, options.results), { recursive: true });
  const resumeCommand = commandToResume(rlm, run, options);
  tell(`Kill it at any moment (kill -9 ${process.pid}). It continues where it was with: ${resumeCommand}\n`);

  const model = await startDemoModel(stateDirectory(env), run, 'monte-cristo', latency);
  const { signature, task, plot } = readTask('monte-cristo');
  const fields = join(options.results, `${run}.wealth.json`);
  const request = {
    ...options,
    signature,
    input: [`chapters=@${chapters}`, `task=${task}`],
    plot: plotText(plot),
    id: run,
    output: fields,
    worker: true,
  };
  const exitCode = await analyzeOnce(io, request, scriptedModel(model.url), resumeCommand).catch(
    async (error: unknown) => {
      await model.end();
      throw error;
    },
  );
  // A run that was left to itself still needs its model, which ends by itself when nobody asks it any more.
  if (exitCode !== EXIT_CANCELLED) await model.end();
  if (exitCode === EXIT_DONE) {
    if (options.output !== undefined)
      await givePicture(io, options.output, join(options.results, `${run}.wealth`), tell);
    for (const line of nextSteps(rlm, signature, chapters)) tell(line);
  }
  return exitCode;
}

/** The chapters as a JSON list, which is how the analysis takes them. */
async function chaptersFile(
  io: Io,
  book: string | undefined,
  cache: string,
  tell: (line: string) => void,
): Promise<string> {
  const folder = join(cache, 'demo', 'monte-cristo');
  const text = book === undefined ? await fetchedBook(folder, tell) : await readBook(resolve(io.cwd, book), book);
  const chapters = chaptersOf(text);
  // Named by what is in it: another book is another input, and the same one is found again.
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const file = join(folder, `chapters-${digest}.json`);
  makePrivateFolder(folder);
  await writeAtomically(file, JSON.stringify(chapters));
  tell(`The book: ${chapters.length} chapters, ${chapters.join('').length} characters, in ${atHome(file)}`);
  return file;
}

async function fetchedBook(folder: string, tell: (line: string) => void): Promise<string> {
  tell('The novel comes from Project Gutenberg (ebook 1184); it is fetched once. --book <file> takes your own copy.');
  return fetchBook({ cacheFile: join(folder, 'pg1184.txt') });
}

async function readBook(path: string, named: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isMissing) throw new CommandError(`There is no book ${named} (it was looked for at ${path}).`);
    const reason = errorMessage(error);
    throw new CommandError(`The book ${named} cannot be read: ${reason}. Name a plain text file with --book.`);
  });
}

function plotText({ x, y, series, title }: MonteCristoTask['plot']): string {
  return `x=${x},y=${y},series=${series},title=${title}`;
}

function checkPicture(output: string | undefined): void {
  if (output === undefined || ['.svg', '.png'].includes(extname(output).toLowerCase())) return;
  throw new CommandError(`--output takes a file for the picture that ends in .svg or .png, not "${output}".`);
}

/** @param drawn path of the pictures, without their extension */
async function givePicture(io: Io, output: string, drawn: string, tell: (line: string) => void): Promise<void> {
  const target = resolve(io.cwd, output);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(resolve(io.cwd, `${drawn}${extname(output).toLowerCase()}`), target);
  tell(`The picture is in ${output} as well.`);
}

/** With what the run's arguments depend on. */
function commandToResume(rlm: string, run: string, { book, config }: MonteCristoDemoOptions): string {
  const given = Object.entries({ book, config }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${shellWord(value)}`],
  );
  return [`${rlm} demo monte-cristo --id ${run}`, ...given].join(' ');
}

function nextSteps(rlm: string, signature: string, chapters: string): string[] {
  return [
    '',
    'The same with a model that reads:',
    '  export OPENROUTER_API_KEY=...',
    `  ${rlm} analyze -s "${signature}" \\`,
    `    -i ${shellWord(`chapters=@${chapters}`)} -i task="..." --plot x=chapter,y=wealth,series=character`,
  ];
}

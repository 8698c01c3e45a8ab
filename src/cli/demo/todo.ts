import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newRunId } from '../../client/run-arguments.ts';
import { cacheDirectory, stateDirectory } from '../../config/directories.ts';
import { commandName, shellWord } from '../command-name.ts';
import { EXIT_CANCELLED, EXIT_DONE } from '../exit-codes.ts';
import { say, type Io } from '../io.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from '../options.ts';
import { resultsFolder } from '../results-folder.ts';
import { runOnce } from '../run-once.ts';
import { startDemoModel } from './demo-model.ts';
import { demoRepository } from './demo-repository.ts';
import { atHome, checkedId, checkedLatency, scriptedModel } from './demo-run.ts';
import { readTask } from './scenario.ts';

export interface TodoDemoOptions extends TemporalOptions, TalkOptions, JsonOption {
  readonly repo?: string;
  readonly output?: string;
  readonly id?: string;
  readonly results: string;
  /** Milliseconds that the model takes for a reply. */
  readonly latency: string;
}

/**
 * `rlm demo todo`: a real run whose model is scripted. It is the command `rlm run` with a repository, a prompt and a
 * model that need nothing from outside.
 *
 * @returns the exit code
 */
export async function runTodoDemo(io: Io, options: TodoDemoOptions): Promise<number> {
  const run = checkedId(options.id) ?? newRunId('todo', new Date());
  const latency = checkedLatency(options.latency);
  const { env } = io;
  const rlm = commandName(env);
  const talks = options.quiet !== true;
  const tell = (line: string): void => {
    if (talks) say(io, line);
  };

  tell('No key, no cost: the model of this demo is scripted, its replies were written in advance.');
  tell('Everything else is real: the agents, their sandboxes, the code they run, the search, the edit, the patch.');
  const repo = options.repo ?? (await standardLibraryRepository(env, tell));
  await mkdir(resultsFolder(io.cwd, options.results), { recursive: true });
  const output = options.output ?? join(options.results, `${run}.patch`);
  const resumeCommand = commandToResume(rlm, run, options);
  tell(`Kill it at any moment (kill -9 ${process.pid}). It continues where it was with: ${resumeCommand}\n`);

  const model = await startDemoModel(stateDirectory(env), run, 'todo', latency);
  const request = { ...options, repo, prompt: readTask('todo').prompt, id: run, output, worker: true };
  const exitCode = await runOnce(io, request, scriptedModel(model.url), resumeCommand).catch(async (error: unknown) => {
    await model.end();
    throw error;
  });
  // A run that was left to itself still needs its model, which ends by itself when nobody asks it any more.
  if (exitCode !== EXIT_CANCELLED) await model.end();
  if (exitCode === EXIT_DONE) for (const line of nextSteps(rlm)) tell(line);
  return exitCode;
}

async function standardLibraryRepository(env: NodeJS.ProcessEnv, tell: (line: string) => void): Promise<string> {
  const { path, version } = await demoRepository(cacheDirectory(env), () =>
    tell('Making a git repository of the standard library of the Python that is here; this is done once.'),
  );
  tell(`Repository: the source of Python ${version}'s standard library, in ${atHome(path)}`);
  return path;
}

/** With what the run's arguments depend on. */
function commandToResume(rlm: string, run: string, { repo, config }: TodoDemoOptions): string {
  const given = Object.entries({ repo, config }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${shellWord(value)}`],
  );
  return [`${rlm} demo todo --id ${run}`, ...given].join(' ');
}

function nextSteps(rlm: string): string[] {
  return [
    '',
    'What to try next:',
    `  your own repository   export OPENROUTER_API_KEY=...; ${rlm} run . -p "Find the easiest TODO and resolve it"`,
    `  see what they did     ${rlm} view opens every thought, block and output in the browser; ${rlm} show <run> prints them`,
    `  kill it               ${rlm} demo todo --id mine, kill -9 in mid-run, and the same command again`,
  ];
}

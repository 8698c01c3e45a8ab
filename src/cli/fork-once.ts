import { text } from 'node:stream/consumers';
import { checkBeforeRun } from '../client/check-models.ts';
import { planFork } from '../client/start-fork.ts';
import { loadConfig } from '../config/load-config.ts';
import { readConfigFiles } from '../config/read-config-file.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { Io } from './io.ts';
import { checkLaunch, launchRun, type LaunchOptions } from './launch-run.ts';
import { presentAnalysis } from './present-analysis.ts';
import { withSession } from './session.ts';
import { mergeSettings, settingsOf } from './settings.ts';

export interface ContinueOptions extends LaunchOptions {
  readonly prompt: string;
}

export interface ForkOptions extends LaunchOptions {
  readonly at?: number;
  readonly agent?: string;
  readonly prompt?: string;
}

/** `rlm continue`. */
export function continueOnce(io: Io, run: string, options: ContinueOptions): Promise<number> {
  return takeUp(io, run, options, 'continue');
}

/** `rlm fork`. */
export function forkOnce(io: Io, run: string, options: ForkOptions): Promise<number> {
  return takeUp(io, run, options, 'fork');
}

function takeUp(io: Io, run: string, options: ForkOptions, kind: 'continue' | 'fork'): Promise<number> {
  const { id, at, agent, prompt } = options;
  const settings = settingsOf(options);
  return withSession(io, options, async (session) => {
    await checkLaunch(session, options);
    const message = prompt === '-' ? await text(io.stdin) : prompt;
    const { plan, type, config } = await planFork(
      session.blobs,
      {
        run,
        config: mergeSettings(await givenConfig(io, options.config), settings),
        ...(id === undefined ? {} : { id }),
        ...(at === undefined ? {} : { at }),
        ...(agent === undefined ? {} : { agent }),
        ...(message === undefined ? {} : { message }),
      },
      kind,
    );
    if (options.worker) await checkBeforeRun(config, session, id);
    return launchRun({
      io,
      session,
      plan,
      options,
      settings,
      resumeCommand: `rlm resume ${plan.run}`,
      ...(type === 'analyze' ? { present: (document) => presentAnalysis(io, session.cwd, document, options) } : {}),
    });
  });
}

/** What the file of `-c` says: of everything else the run has what the other run had. */
async function givenConfig(io: Io, named: string | undefined): Promise<ConfigInput> {
  if (named === undefined) return {};
  const files = await readConfigFiles(named, io);
  return loadConfig({ files: files.filter(({ origin }) => origin === 'named') }).given;
}

import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { planRun } from '../client/start-run.ts';
import { checkBeforeRun } from '../client/check-models.ts';
import type { ConfigInput } from '../config/schema.ts';
import { cassetteOverrides } from './cassette-file.ts';
import type { Io } from './io.ts';
import { checkLaunch, launchRun, type LaunchOptions } from './launch-run.ts';
import { openSession } from './session.ts';
import { withOptions } from './settings.ts';

/** Milliseconds in which a repository of this machine is looked at. */
const FIRST_LOOK = 500;

export interface RunOptions extends LaunchOptions {
  readonly prompt: string;
  readonly branch?: string;
  readonly commit?: string;
}

/**
 * `rlm run`: starts a run, or finds it again, and sees it through.
 *
 * @param overrides settings that win over the configuration file's
 * @param resumeCommand - command that attaches to the run again; default: derived from the options
 * @returns the exit code
 */
export async function runOnce(
  io: Io,
  options: RunOptions & { readonly repo: string },
  overrides: ConfigInput = {},
  resumeCommand?: string,
): Promise<number> {
  const settings = withOptions(options, { ...overrides, ...cassetteOverrides(io.cwd, options) });
  const session = await openSession(io, options, settings);
  try {
    const prompt = options.prompt === '-' ? await text(io.stdin) : options.prompt;
    await checkLaunch(session, options);
    const plan = planRun(session, { ...options, prompt }, session.config);
    // What is wrong with a repository is mostly found at once: then no server is started for nothing.
    await Promise.all([
      options.worker && options.replay === undefined ? checkBeforeRun(session.config, session, options.id) : undefined,
      Promise.race([plan.prepared, delay(FIRST_LOOK)]),
    ]);
    return await launchRun({ io, session, plan, options, settings, resumeCommand });
  } finally {
    await session.close();
  }
}

import type { Toolbox } from '../activities/dependencies.ts';
import { CommandError } from './report-error.ts';
import type { Session } from './session.ts';

export interface OpenTools extends Toolbox {
  close(): Promise<void>;
}

/**
 * The tools of a worker in this process: of its configuration and of its command line, never of what a run says.
 *
 * @returns undefined where none are named
 * @throws TypedError `Input.Invalid` for what cannot be loaded
 */
export async function openTools(
  { config, cwd, env }: Session,
  files: readonly string[] = [],
  log: (line: string) => void,
): Promise<OpenTools | undefined> {
  const { files: configured, mcp } = config.tools;
  if (files.length + configured.length + Object.keys(mcp).length === 0) return undefined;
  // What a tool prints is for a person: standard output is the result's.
  console.log = console.error;
  console.info = console.error;
  console.debug = console.error;
  const { loadTools } = await import('../tools/index.ts');
  return loadTools({ files: [...configured, ...files], mcp, cwd, env, log });
}

/** @throws CommandError where a worker in the background could not have the tools of this command line */
export function refuseDetachedTools(files: readonly string[]): void {
  if (files.length === 0) return;
  throw new CommandError(
    'With --detach the worker is another process, which has the tools of the configuration: name them there, as ' +
      'tools.files, and stop a worker that runs already with rlm down.',
  );
}

import type { ToolDescription } from '../domain/tools.ts';

export const DEFAULT_TIMEOUT = 60;
export const DEFAULT_ATTEMPTS = 3;

/** The tools of a worker. */
export interface Tools {
  readonly descriptions: readonly ToolDescription[];
  /**
   * One attempt of a call; its result is a JSON value of at most 64 MB.
   *
   * @param args - by the names of the description's parameters
   * @throws TypedError `Input.Invalid` for arguments that are wrong or a name that is no tool's, `Tool.Refused` where another
   * attempt would not help, `Tool.Failed` otherwise. Each message is meant for the model: one line, or one for each problem.
   * The signal's reason when that is aborted.
   */
  call(name: string, args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<unknown>;
  /** Ends the processes of its servers; calls that are under way fail. */
  close(): Promise<void>;
}

/** A tool without its name: `loadTools` gives it one that is free. */
export interface LoadedTool {
  /** What it is called where it comes from. */
  readonly name: string;
  /** In messages: `weather in tools.ts`. */
  readonly place: string;
  /** Another name, where its own cannot be had. */
  readonly fallback?: string;
  readonly description: Omit<ToolDescription, 'name'>;
  /**
   * Checks the arguments.
   *
   * @throws TypedError `Input.Invalid` with one problem a line
   */
  check(args: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** @param args - what `check` made of them */
  run(args: unknown, signal: AbortSignal): Promise<unknown>;
}

import type { Command } from 'commander';
import type { Io } from './io.ts';

/** A command's work; its answer is the exit code. Modules it needs are loaded when it is run. */
export type Perform = (work: () => Promise<number>) => Promise<void>;

export interface CommandContext {
  readonly io: Io;
  readonly perform: Perform;
}

/** The definition of a command: options and help, without the code behind it. */
export type DefineCommand = (context: CommandContext) => Command;

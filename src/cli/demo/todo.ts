import type { Io } from '../io.ts';
import type { JsonOption, TalkOptions, TemporalOptions } from '../options.ts';
import { CommandError } from '../report-error.ts';

export interface TodoDemoOptions extends TemporalOptions, TalkOptions, JsonOption {
  readonly repo?: string;
  readonly output?: string;
  readonly id?: string;
  readonly results: string;
}

/** `rlm demo todo`. @returns the exit code */
export function runTodoDemo(_io: Io, _options: TodoDemoOptions): Promise<number> {
  return Promise.reject(new CommandError('The demo is not part of this version yet.'));
}

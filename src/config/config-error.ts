import { TypedError } from '../domain/failures.ts';

export interface ConfigProblem {
  /** What is wrong and what to write instead. */
  readonly message: string;
  /** File or other source; undefined when a value was checked that came from no file. */
  readonly source?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
}

/** Everything that is wrong with a configuration, at once. Its type is `Input.Invalid`. */
export class ConfigError extends TypedError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super('Input.Invalid', messageOf(problems));
    this.problems = problems;
  }
}

function messageOf(problems: readonly ConfigProblem[]): string {
  const lines = problems.map((problem) => {
    const place = [problem.source, problem.line, problem.column].filter((part) => part !== undefined).join(':');
    return place === '' ? problem.message : `${place}: ${problem.message}`;
  });
  return lines.length === 1 ? (lines[0] ?? '') : `the configuration has ${lines.length} problems:\n${lines.join('\n')}`;
}

import type { RunSpecification } from '../records.ts';

/**
 * What tells our own lines in a prompt from text that comes from elsewhere: taken from the run's random id, which no
 * document can know.
 */
export function delimiterOf({ execution }: Pick<RunSpecification, 'execution'>): string {
  return execution.replaceAll(/[^0-9A-Za-z]/g, '').slice(0, 8);
}

/** Text between two lines that it cannot imitate. */
export function delimit(name: 'stdout' | 'stderr' | 'error' | 'task', text: string, delimiter: string): string {
  // The model knows the delimiter, and may print it.
  const safe = text.replaceAll(` ${delimiter}>`, ` ${delimiter}…>`);
  return `<${name} ${delimiter}>\n${safe.trimEnd()}\n</${name} ${delimiter}>`;
}

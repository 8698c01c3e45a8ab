/** The scenarios in `examples/`: what the demos ask, and what their scripted model replies. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type ScenarioName = 'todo' | 'monte-cristo';

/** `task.json` of `examples/todo`. */
export interface TodoTask {
  readonly prompt: string;
}

/** `task.json` of `examples/monte-cristo`. */
export interface MonteCristoTask {
  readonly signature: string;
  /** The input `task`. */
  readonly task: string;
  /** What is drawn of the answer. */
  readonly plot: { readonly x: string; readonly y: string; readonly series: string; readonly title: string };
}

export function readTask(name: 'todo'): TodoTask;
export function readTask(name: 'monte-cristo'): MonteCristoTask;
export function readTask(name: ScenarioName): unknown {
  return JSON.parse(readFileSync(new URL(`../../../examples/${name}/task.json`, import.meta.url), 'utf8'));
}

/** The module that the process of the scripted model plays: compiled beside this one, or as it is written. */
export function scriptOf(name: ScenarioName): string {
  const compiled = import.meta.url.endsWith('.js');
  const path = compiled ? `../../examples/${name}/script.js` : `../../../examples/${name}/script.ts`;
  return fileURLToPath(new URL(path, import.meta.url));
}

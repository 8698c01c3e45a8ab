import { readFileSync } from 'node:fs';
import { withCode } from 'durable-rlm/testing';

/** Gives a block of Python, after lines that give values to its names. */
export type PythonCode = (name: string, values?: Readonly<Record<string, unknown>>) => string;

/** The blocks in the folder `python/` beside a module. @param module - its `import.meta.url` */
export function pythonCodeBeside(module: string): PythonCode {
  return (name, values = {}) => {
    const code = readFileSync(new URL(`./python/${name}.py`, module), 'utf8');
    const lines = Object.entries(values).map(([variable, value]) => `${variable} = ${pythonLiteral(value)}\n`);
    return lines.length === 0 ? code : `${lines.join('')}\n${code}`;
  };
}

/** A reply as a model gives it: a thought, then code. */
export function thinkAndRun(thought: string, code: string): string {
  return withCode(code, thought);
}

export function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  // What JSON escapes in strings and numbers means the same in Python.
  return JSON.stringify(value);
}

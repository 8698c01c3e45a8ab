import type { $ZodType, output } from 'zod/v4/core';

/** What `run` gets besides its arguments. */
export interface ToolContext {
  /** Aborted when the call's time is over or its run is cancelled: hand it to `fetch` and the like. */
  readonly signal: AbortSignal;
}

/** A function that the code of an analysis can call; it runs in the worker, with the worker's rights. */
export interface ToolDefinition<Schema extends $ZodType = $ZodType> {
  /** What it does and what it returns: the model reads it as the function's docstring. */
  readonly description: string;
  /** A `z.object` of zod 4. Names, types, defaults and descriptions become the Python function's parameters. */
  readonly parameters: Schema;
  /** Seconds an attempt may take. Default 60. */
  readonly timeout?: number;
  /** Attempts of a call that throws or takes too long. 1 for what must not be done twice. Default 3. */
  readonly attempts?: number;
  /**
   * Gets the arguments as the schema made them. Returns a JSON value; Dates become ISO texts, undefined null. What it
   * throws reaches the code as a text that begins with `Error:`.
   */
  run(args: output<Schema>, context: ToolContext): unknown;
}

/** Makes a tool, with the types of its arguments inferred: `export const weather = tool({ ... })`. */
export function tool<Schema extends $ZodType>(definition: ToolDefinition<Schema>): ToolDefinition<Schema> {
  return definition;
}

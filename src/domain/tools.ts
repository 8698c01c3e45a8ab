import { TypedError } from './failures.ts';
import type { HostFunction } from './kernel-protocol.ts';
import type { Signature } from './signature/field-type.ts';

/** A tool as a run's specification keeps it: what the code of its agents sees, and how a call is tried. */
export interface ToolDescription {
  /** Of the Python function: an identifier. */
  readonly name: string;
  /** Its docstring. */
  readonly doc: string;
  readonly parameters: HostFunction['parameters'];
  /** Seconds an attempt may take. */
  readonly timeout: number;
  /** Attempts of a call that fails in a way that may pass. */
  readonly attempts: number;
}

/**
 * Functions and variables of the code share their names.
 *
 * @throws TypedError `Input.Invalid`
 */
export function checkToolNames(tools: readonly ToolDescription[], { inputs }: Pick<Signature, 'inputs'>): void {
  const taken = inputs.find(({ name }) => tools.some((tool) => tool.name === name));
  if (taken === undefined) return;
  throw new TypedError('Input.Invalid', `The tool ${taken.name} has the name of an input: rename one of them.`);
}

import type { HostFunction } from './kernel-protocol.ts';

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

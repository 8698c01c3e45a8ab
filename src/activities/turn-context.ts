import type { ActInput, BlockStep } from '../domain/contract.ts';
import type { BlockResult } from '../domain/kernel-protocol.ts';
import type { RunSpecification } from '../domain/records.ts';
import type { Kernel } from '../sandbox/provider.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';

/** What running the code of one reply needs. */
export interface TurnContext {
  readonly deps: ActivityDependencies;
  readonly input: Scoped<ActInput>;
  readonly sandboxId: string;
  readonly generation: number;
  readonly iteration: number;
  readonly kernel: Kernel;
  readonly specification: RunSpecification;
  readonly codes: readonly string[];
  readonly signal: AbortSignal;
}

/** The block to run after one that has ended so; undefined when the reply's code has come to its end. */
export function nextStep(turn: TurnContext, step: BlockStep, result: BlockResult): BlockStep | undefined {
  const more = result.status === 'ok' && result.final === null && step.index + 1 < turn.codes.length;
  return more ? { index: step.index + 1, block: step.block + 1, cursor: 0 } : undefined;
}

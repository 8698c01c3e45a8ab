import type { RunCodeInput } from '../domain/contract.ts';
import type { RunSpecification } from '../domain/records.ts';
import type { Kernel } from '../sandbox/provider.ts';
import type { Trajectory } from './agent-trajectory.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';

/** What running the code of one reply needs. */
export interface ReplyContext {
  readonly deps: ActivityDependencies;
  readonly input: ForAgent<RunCodeInput>;
  readonly trajectory: Trajectory;
  readonly run: RunSpecification;
  readonly sandboxId: string;
  readonly generation: number;
  readonly kernel: Kernel;
  readonly signal: AbortSignal;
}

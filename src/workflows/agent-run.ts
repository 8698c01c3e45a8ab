import type { AgentInput, Refusal, TaskReference, WorkflowLimits } from '../domain/contract.ts';
import type { AgentState } from '../domain/messages.ts';
import type { Usage } from '../domain/usage.ts';
import type { AgentBudget } from './agent-budget.ts';
import type { LossLimit, OwnSandbox } from './own-sandbox.ts';
import type { PauseGate } from './pause-gate.ts';
import type { Persistence } from './persistence.ts';
import type { SubAgents } from './sub-agents.ts';

/** What an agent's loop works with. */
export interface AgentRun {
  readonly input: AgentInput;
  readonly limits: WorkflowLimits;
  readonly id: string;
  readonly taskQueue: string;
  readonly budget: AgentBudget;
  readonly subAgents: SubAgents;
  readonly persistence: Persistence;
  readonly sandbox: OwnSandbox;
  readonly losses: LossLimit;
  readonly gate: PauseGate;
  readonly progress: Progress;
}

/** What the agent has got to; the only state that changes. */
export interface Progress {
  state: AgentState['state'];
  iteration: number;
  head: string | TaskReference;
  block: number;
  /** Replies without code in a row. */
  withoutCode: number;
  usage: Usage;
  /** What the model said to the turn that is next. */
  refusal: Refusal | undefined;
}

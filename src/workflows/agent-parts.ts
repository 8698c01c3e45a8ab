import type { LimitFunction } from 'p-limit';
import type { AgentInput } from '../domain/contract.ts';
import type { AgentStatusReply } from '../domain/messages.ts';
import type { Usage } from '../domain/usage.ts';
import type { AgentBudget } from './agent-budget.ts';
import type { AgentSandbox } from './agent-sandbox.ts';
import type { PauseGate } from './pause-gate.ts';
import type { PauseOnError } from './pause-on-error.ts';
import type { Approvals } from './approvals.ts';
import type { Steering } from './steering.ts';
import type { SubAgents } from './sub-agents.ts';

/** An agent at work: what its loop and its steps share. */
export interface Agent {
  readonly id: string;
  readonly input: AgentInput;
  readonly state: AgentLoopState;
  readonly sandbox: AgentSandbox;
  readonly subAgents: SubAgents;
  readonly budget: AgentBudget;
  readonly gate: PauseGate;
  readonly pauseOnError: PauseOnError;
  readonly steering: Steering;
  readonly approvals: Approvals;
  /** Activities that answer prompts, all calls of its code together. */
  readonly askingModels: LimitFunction;
}

/** How far the loop got; the trajectory has all that is not here. */
export interface AgentLoopState {
  phase: AgentStatusReply['state'];
  head: string | undefined;
  iteration: number;
  usage: Usage;
}

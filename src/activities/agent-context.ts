/** Names an agent's data: which run, which execution of it, which agent, and the run's specification. */
export interface AgentContext {
  readonly run: string;
  readonly execution: string;
  readonly agent: string;
  readonly spec: string;
}

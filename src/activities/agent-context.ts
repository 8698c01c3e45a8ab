/** Names an agent's data: which run, which execution of it, which agent, and the run's specification. */
export interface AgentContext {
  readonly run: string;
  readonly execution: string;
  readonly agent: string;
  readonly spec: string;
  /** The specification with the configuration in force: another one where a person has changed it since the run began. */
  readonly settings: string;
}

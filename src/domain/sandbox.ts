/** A sandbox as it travels through a workflow: enough to find it again. */
export interface SandboxHandle {
  readonly provider: string;
  readonly id: string;
  readonly generation: number;
  /** The host it lives on, for providers whose sandboxes are reached from there only. */
  readonly host?: string;
}

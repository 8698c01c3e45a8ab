import { ActivityCancellationType } from '@temporalio/workflow';
import type { AgentInput, WorkflowLimits } from '../domain/contract.ts';
import type { SandboxName } from '../domain/sandbox.ts';
import { runActivities } from './activities.ts';

/** An agent's sandbox, made when it is needed. */
export interface OwnSandbox {
  /** Once it is known to be there. */
  readonly name: SandboxName | undefined;
  set(name: SandboxName): void;
  /** Makes it, unless that is done or under way. Its failure is the agent's. */
  made(): Promise<SandboxName>;
  /** Once it is made, or has failed; at once where nobody began to make it. */
  settled(): Promise<SandboxName | undefined>;
}

export function ownSandbox(input: AgentInput, limits: WorkflowLimits): OwnSandbox {
  let name: SandboxName | undefined;
  let making: Promise<SandboxName> | undefined;
  return {
    get name() {
      return name;
    },
    set(made) {
      name = made;
      making = Promise.resolve(made);
    },
    made() {
      // Cancelled, it leaves nothing, or what it left is removed at the end.
      making ??= runActivities({
        summary: 'make the sandbox',
        scheduleToCloseTimeout: `${limits.create_timeout}s`,
        cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
      })
        .createSandbox({ execution: input.execution, task: input.task, generation: 0 })
        .then((made) => {
          name = made;
          return made;
        });
      return making;
    },
    settled: async () => making?.catch(() => undefined),
  };
}

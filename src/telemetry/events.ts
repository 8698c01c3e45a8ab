import type { AgentStatus, RunStatus } from '../domain/records.ts';
import type { Usage } from '../domain/usage.ts';
import type { Purpose } from '../llm/chat-model.ts';

interface OfRun {
  readonly run: string;
}

interface OfAgent extends OfRun {
  readonly agent: string;
}

/**
 * What a worker has done. Each event is emitted once, however often an activity is retried: replies and blocks when they are
 * recorded, sandboxes by their id.
 */
export type WorkerEvent =
  | (OfAgent & {
      readonly kind: 'model call';
      readonly model: string;
      readonly purpose: Purpose;
      /** `answered`, `cancelled`, or the type of the failure. */
      readonly outcome: string;
      readonly seconds: number;
      /** Absent where there was no answer. */
      readonly usage?: Usage;
      readonly error?: string;
    })
  | (OfAgent & {
      readonly kind: 'iteration';
      readonly iteration: number;
      readonly model: string;
      readonly usage: Usage;
    })
  | (OfAgent & {
      readonly kind: 'block';
      readonly iteration: number;
      readonly block: number;
      readonly status: string;
      readonly seconds: number;
    })
  | (OfAgent & {
      readonly kind: 'agent ended';
      readonly status: AgentStatus;
      readonly seconds: number;
      readonly usage: Usage;
      readonly error?: string;
    })
  | (OfRun & {
      readonly kind: 'run ended';
      readonly status: RunStatus;
      readonly seconds: number;
      readonly agents: number;
      readonly usage: Usage;
    })
  | (OfAgent & {
      readonly kind: 'sandbox created';
      readonly provider: string;
      readonly sandbox: string;
      readonly seconds: number;
    })
  | (OfAgent & { readonly kind: 'sandbox lost'; readonly provider: string; readonly sandbox: string })
  | {
      readonly kind: 'sweep';
      readonly provider: string;
      /** Leftovers it removed. */
      readonly removed: number;
    };

export type Listener = (event: WorkerEvent) => void;

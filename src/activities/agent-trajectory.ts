import { fold, recordsAfter, type AgentState } from '../domain/agent-state.ts';
import type { TaskReference } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import { recordUsage, type AgentReference, type ChainRecord } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import type { Stores } from './dependencies.ts';
import type { AgentContext } from './agent-context.ts';
import { fence, openAgentReference, readAgentReference, updateAgentReference } from './agent-reference.ts';
import { beginTrajectory } from './agent-task.ts';

type Shown = Partial<Pick<AgentReference, 'state' | 'iteration' | 'sandbox' | 'status' | 'ended_at'>>;

type RecordOf<Kind extends ChainRecord['kind']> = Extract<ChainRecord, { kind: Kind }>;

/** A record that is to follow the newest one. */
type NextRecord<Kind extends ChainRecord['kind']> = Omit<RecordOf<Kind>, 'v' | 'parent'>;

/** An agent's trajectory, read once by the attempt that extends it. */
export interface Trajectory {
  readonly head: string;
  readonly records: readonly ChainRecord[];
  readonly state: AgentState;
  readonly reference: AgentReference | undefined;
  /** The records after `head`; all of them when it is undefined. @throws Error when it is not in the trajectory */
  after(head: string | undefined): readonly ChainRecord[];
  /** Hash of a record of it. */
  hashOf(record: ChainRecord): string;
  /** Stores the record and moves the agent's reference to it. @returns the record as it is stored */
  append<Kind extends ChainRecord['kind']>(record: NextRecord<Kind>, shown?: Shown): Promise<RecordOf<Kind>>;
  /** Changes what the live tree shows of the agent. */
  show(shown: Shown): Promise<void>;
}

/**
 * Reads an agent's trajectory to its newest record, whatever head the workflow knows; one not begun yet is begun. From
 * here on the attempts before this one can append nothing.
 *
 * @param task - where the agent finds its task
 * @param options.reopen - whether an end that is not `completed` is taken back where an earlier execution recorded it: its
 *   agent was cancelled or failed, and this one continues where its work ended
 * @param options.tolerant - whether a blob that is missing or damaged is no error: only the records after it are read
 */
export async function openTrajectory(
  deps: Stores,
  scope: AgentContext,
  task: TaskReference,
  { reopen = true, tolerant = false }: { readonly reopen?: boolean; readonly tolerant?: boolean } = {},
): Promise<Trajectory> {
  await fence(deps, scope, task);
  let reference = await (reopen ? openAgentReference(deps, scope) : readAgentReference(deps, scope));
  let head = reference?.head ?? (await beginTrajectory(deps, scope, task));
  const records = await (tolerant ? readableRecords(deps, head) : deps.chains.walk(head));
  let state: AgentState | undefined;

  return {
    get head() {
      return head;
    },
    records,
    get state() {
      state ??= fold(records);
      return state;
    },
    get reference() {
      return reference;
    },
    after(known) {
      if (known === undefined) return records.slice(1);
      const next = recordsAfter(records, head, known);
      if (next === undefined) throw new Error(`record ${known} is not in the trajectory of agent ${scope.agent}`);
      return records.slice(next);
    },
    hashOf(record) {
      return records[records.indexOf(record) + 1]?.parent ?? head;
    },
    async append<Kind extends ChainRecord['kind']>(next: NextRecord<Kind>, shown: Shown = {}) {
      const record = { v: 1, parent: head, ...next } as unknown as RecordOf<Kind>;
      const hash = await deps.chains.append(record);
      reference = await updateAgentReference(deps, scope, { head: hash, ...shown }, recordUsage(record), head);
      head = hash;
      records.push(record);
      state = undefined;
      return record;
    },
    async show(shown) {
      reference = await updateAgentReference(deps, scope, { head, ...shown }, NO_USAGE, head);
    },
  };
}

async function readableRecords({ chains }: Pick<Stores, 'chains'>, head: string): Promise<ChainRecord[]> {
  const records: ChainRecord[] = [];
  try {
    for (let hash: string | null = head; hash !== null;) {
      const record: ChainRecord = await chains.record(hash);
      records.unshift(record);
      hash = record.parent;
    }
  } catch (error) {
    if (!(error instanceof TypedError) || !['Storage.Missing', 'Storage.Damaged'].includes(error.type)) throw error;
  }
  return records;
}

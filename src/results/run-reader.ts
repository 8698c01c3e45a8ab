import pLimit from 'p-limit';
import type { AgentReference, ChainRecord, RunReference, RunSpecification } from '../domain/records.ts';
import { agentReferenceName } from '../domain/records.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains } from '../storage/chain.ts';
import { readRun } from './find-run.ts';
import { compareAgentIds, type RunSnapshot } from './run-snapshot.ts';

/** An agent with everything it has done so far. */
export interface AgentTrajectory {
  readonly reference: AgentReference;
  readonly records: readonly ChainRecord[];
  /** What it gave to FINAL; undefined while it works and where it has none. */
  readonly answer: unknown;
}

/** Follows one execution of a run. What cannot change any more is read once. */
export interface RunReader {
  /** Undefined as long as the run has stored nothing. */
  snapshot(): Promise<RunSnapshot | undefined>;
  specification(run: RunReference): Promise<RunSpecification>;
  /** The chain of each agent of a snapshot; only records that were not read before are. */
  trajectories(snapshot: RunSnapshot): Promise<AgentTrajectory[]>;
}

/** Files read at the same time. */
const PARALLEL = 16;

export function createRunReader(blobs: BlobStore, scope: { run: string; execution: string }): RunReader {
  // The records are kept here, so the chain's own cache would hold them twice.
  const chains = createChains(blobs, { cacheCharacters: 0 });
  const done = new Map<string, AgentReference>();
  const known = new Map<string, { head: string; records: readonly ChainRecord[] }>();
  const answers = new Map<string, unknown>();
  let specification: { hash: string; value: RunSpecification } | undefined;

  async function readAgent(name: string): Promise<AgentReference | undefined> {
    const finished = done.get(name);
    if (finished !== undefined) return finished;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
    const reference = (await blobs.getReference(name)) as AgentReference | undefined;
    // Another end is opened again where the run is retried.
    if (reference?.state === 'done' && reference.status === 'completed') done.set(name, reference);
    return reference;
  }

  async function extend(agent: string, head: string): Promise<readonly ChainRecord[]> {
    const before = known.get(agent);
    if (before?.head === head) return before.records;
    const added: ChainRecord[] = [];
    let hash: string | null = head;
    while (hash !== null && hash !== before?.head) {
      const record: ChainRecord = await chains.record(hash);
      added.push(record);
      hash = record.parent;
    }
    const records = [...(hash === null ? [] : (before?.records ?? [])), ...added.toReversed()];
    known.set(agent, { head, records });
    return records;
  }

  return {
    async snapshot() {
      const run = await readRun(blobs, scope.run, scope.execution);
      if (run === undefined) return undefined;
      const prefix = agentReferenceName(scope.run, scope.execution, '');
      const names = (await blobs.listReferences(prefix)).filter((name) => /^\d/.test(name.slice(prefix.length)));
      const agents = (await pLimit(PARALLEL).map(names, readAgent)).filter((agent) => agent !== undefined);
      return { run, agents: agents.toSorted((a, b) => compareAgentIds(a.agent, b.agent)) };
    },
    async specification(run) {
      if (specification?.hash !== run.spec) {
        specification = { hash: run.spec, value: await chains.specification(run.spec) };
      }
      return specification.value;
    },
    trajectories: ({ agents }) =>
      pLimit(PARALLEL).map(agents, async (reference) => {
        const records = await extend(reference.agent, reference.head);
        const end = records.at(-1);
        const ref = end?.kind === 'end' ? end.answer_ref : null;
        if (ref !== null && !answers.has(ref)) answers.set(ref, await chains.getJson(ref));
        return { reference, records, answer: ref === null ? undefined : answers.get(ref) };
      }),
  };
}

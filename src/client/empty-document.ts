import { NO_USAGE } from '../domain/usage.ts';
import type { RunDocument } from '../results/run-document.ts';
import type { RunEnd } from './temporal-runs.ts';

/** Of a run that has stored nothing, because it has just begun or failed at once. */
export function emptyDocument(run: string, status: RunDocument['status'], end?: RunEnd): RunDocument {
  const failed = end === undefined || 'outcome' in end ? undefined : end;
  return {
    run_id: run,
    status: failed?.status ?? status,
    answer: null,
    answer_source: null,
    patch: null,
    agents: 0,
    max_depth: 0,
    iterations: 0,
    usage: NO_USAGE,
    sandboxes: 0,
    execution_time: 0,
    results: null,
    error: failed?.error ?? null,
    notes: [],
  };
}

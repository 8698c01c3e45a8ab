import { describeOrigin } from '../results/describe-origin.ts';
import type { RunDocument } from '../results/run-document.ts';
import { whyNoPatch } from '../results/why-no-patch.ts';
import { describeFindings } from './render-findings.ts';
import { formatClock, formatCost, formatCount, plural } from './live/format.ts';

/** How a run ended and what it took, for a person. */
export function summaryLines(document: RunDocument): string[] {
  const { usage, agents, iterations, max_depth, execution_time } = document;
  const parts = [
    formatClock(execution_time * 1000),
    `${plural(agents, 'agent')} to depth ${max_depth}`,
    plural(iterations, 'iteration'),
    `${formatCount(usage.input_tokens + usage.output_tokens)} tokens`,
    formatCost(usage.cost),
  ].filter((part) => part !== '');
  const { from } = document;
  return [
    `${document.run_id}: ${STATUS_WORDS[document.status] ?? document.status} (${parts.join(', ')})`,
    ...(from === undefined ? [] : [`It ${describeOrigin(from)}.`]),
    ...(document.error === null || document.status === 'paused' ? [] : [`Why: ${document.error}`]),
    ...findingsLine(document),
    ...document.notes.map((note) => `Note: ${note}`),
    ...(document.results === null ? [] : [`Results: ${document.results}`]),
  ];
}

/** Why a run stands still or waits for a person, with what to type. */
export function reasonWithNext(reason: string | null, next: string | null): string | null {
  return reason === null || next === null ? (reason ?? next) : `${reason.replace(/\.$/, '')}; ${next}`;
}

/** Why a run that has ended has no patch: it need not be that it changed nothing. */
export function withoutPatch(run: string, notes: readonly string[]): string {
  const why = whyNoPatch(notes);
  return why === undefined ? `Run ${run} changed nothing.` : `Run ${run}: ${why}`;
}

function findingsLine({ run_id, findings }: RunDocument): string[] {
  if (findings === undefined) return [];
  return [`Findings: ${describeFindings(findings)} (rlm findings ${run_id}).`];
}

const STATUS_WORDS: Partial<Record<RunDocument['status'], string>> = {
  timed_out: 'timed out, with partial results',
  cancelled: 'cancelled, with what it had so far',
};

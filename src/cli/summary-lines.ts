import type { RunDocument } from '../results/run-document.ts';
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
  return [
    `${document.run_id}: ${STATUS_WORDS[document.status] ?? document.status} (${parts.join(', ')})`,
    ...(document.error === null || document.status === 'paused' ? [] : [`Why: ${document.error}`]),
    ...findingsLine(document),
    ...document.notes.map((note) => `Note: ${note}`),
    ...(document.results === null ? [] : [`Results: ${document.results}`]),
  ];
}

/** Why a run stands still, with the command that continues where the reason does not name one. */
export function reasonWithNext(run: string, status: string, reason: string | null): string | null {
  if (status !== 'paused' || /\brlm \w/.test(reason ?? '')) return reason;
  const next = `rlm resume ${run} continues`;
  return reason === null ? next : `${reason}; ${next}`;
}

function findingsLine({ run_id, findings }: RunDocument): string[] {
  if (findings === undefined) return [];
  const { new: fresh, changed, gone, open } = findings;
  return [`Findings: ${fresh} new, ${changed} changed, ${gone} gone, ${open} still open (rlm findings ${run_id}).`];
}

const STATUS_WORDS: Partial<Record<RunDocument['status'], string>> = {
  timed_out: 'timed out, with partial results',
  cancelled: 'cancelled, with what it had so far',
};

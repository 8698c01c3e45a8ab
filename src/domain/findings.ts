import type { FindingsConfig } from './config.ts';
import { isRecord } from './is-record.ts';
import { canonicalJson, type RunOutcome } from './records.ts';

/** One of the things that a run was to find, as its answer has it. */
export type Finding = Readonly<Record<string, unknown>>;

/** What a run found, beside what the run before in its series had found. */
export interface ComparedFindings {
  readonly new: readonly Finding[];
  /** As it was. */
  readonly open: readonly Finding[];
  /** The same by its key, but not in the rest. */
  readonly changed: readonly { readonly before: Finding; readonly now: Finding }[];
  readonly gone: readonly Finding[];
  /** New ones over `max_new`: they are not remembered, so that they are new again the next time. */
  readonly held_back: number;
  /** Run that it is compared with; null for the first of the series. */
  readonly since: string | null;
}

export interface FindingCounts {
  readonly new: number;
  readonly open: number;
  readonly changed: number;
  readonly gone: number;
}

/** The findings in an answer; undefined where it has none of that form. */
export function findingsIn(answer: unknown, { field }: FindingsConfig): readonly Finding[] | undefined {
  const list = field === undefined ? answer : isRecord(answer) ? answer[field] : undefined;
  return Array.isArray(list) && list.every(isRecord) ? list : undefined;
}

export function compareFindings(
  before: { readonly run: string; readonly findings: readonly Finding[] } | undefined,
  now: readonly Finding[],
  { key, max_new = Infinity }: FindingsConfig,
): ComparedFindings {
  const known = byKey(before?.findings ?? [], key);
  const found = byKey(now, key);
  const fresh: Finding[] = [];
  const open: Finding[] = [];
  const changed: { before: Finding; now: Finding }[] = [];
  for (const [name, finding] of found) {
    const earlier = known.get(name);
    if (earlier === undefined) fresh.push(finding);
    else if (canonicalJson(earlier) === canonicalJson(finding)) open.push(finding);
    else changed.push({ before: earlier, now: finding });
  }
  return {
    new: fresh.slice(0, max_new),
    open,
    changed,
    gone: [...known].flatMap(([name, finding]) => (found.has(name) ? [] : [finding])),
    held_back: Math.max(0, fresh.length - max_new),
    since: before?.run ?? null,
  };
}

/** What the next run of the series is compared with. */
export function rememberedFindings({ new: fresh, open, changed }: ComparedFindings): readonly Finding[] {
  return [...open, ...changed.map(({ now }) => now), ...fresh];
}

export function countFindings({ new: fresh, open, changed, gone }: ComparedFindings): FindingCounts {
  return { new: fresh.length, open: open.length, changed: changed.length, gone: gone.length };
}

/** Without the blob that has them. */
export function findingCounts({ findings }: Pick<RunOutcome, 'findings'>): { readonly findings?: FindingCounts } {
  if (findings === undefined) return {};
  const { ref: _, ...counts } = findings;
  return { findings: counts };
}

export function addFindings(a: FindingCounts, b: FindingCounts): FindingCounts {
  return { new: a.new + b.new, open: a.open + b.open, changed: a.changed + b.changed, gone: a.gone + b.gone };
}

/** Of several with one key the last counts. */
function byKey(findings: readonly Finding[], key: readonly string[]): Map<string, Finding> {
  return new Map(findings.map((finding) => [canonicalJson(key.map((name) => finding[name] ?? null)), finding]));
}

/** What the reference `findings/<series>` holds: the findings of its newest run. */
export interface FindingsReference {
  readonly run: string;
  /** Blob with the list. */
  readonly ref: string;
  /** The worker's own user started the run. */
  readonly granted?: true;
}

export function findingsReferenceName(series: string): string {
  return `findings/${series}`;
}

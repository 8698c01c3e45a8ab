import { countFindings, type ComparedFindings, type Finding, type FindingCounts } from '../domain/findings.ts';
import { isRecord } from '../domain/is-record.ts';

export function describeFindings({ new: fresh, changed, gone, open }: FindingCounts): string {
  return `${fresh} new, ${changed} changed, ${gone} gone, ${open} still open`;
}

/** As Markdown: what is new first. */
export function renderFindings(compared: ComparedFindings, all: boolean): string {
  const { new: fresh, changed, gone, open, since } = compared;
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['New', fresh.map(lineOf)],
    ['Changed', changed.map(({ before, now }) => `${lineOf(now)} (was ${lineOf(before)})`)],
    ['Gone', gone.map(lineOf)],
    ...(all ? [['Still open', open.map(lineOf)] as const] : []),
  ];
  const counts = describeFindings(countFindings(compared));
  return [
    since === null ? `${counts}.` : `${counts}, since ${since}.`,
    ...sections.flatMap(([title, lines]) =>
      lines.length === 0 ? [] : ['', `## ${title}`, '', ...lines.map((line) => `- ${line}`)],
    ),
    '',
  ].join('\n');
}

function lineOf(finding: Finding): string {
  return Object.entries(finding)
    .map(
      ([name, value]) => `${name}: ${isRecord(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)}`,
    )
    .join(', ');
}

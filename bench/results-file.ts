import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));

/**
 * Writes a bench's report into RESULTS.md, in place of the one it wrote before, and leaves those of others alone.
 *
 * @param report Markdown whose first line is a heading of the first level, by which it is known
 */
export function writeResults(report: string): void {
  writeFileSync(RESULTS, withReport(readFileSync(RESULTS, 'utf8'), report));
}

function withReport(file: string, report: string): string {
  const sections = file
    .split(/^(?=# )/m)
    .map((section) => section.trim())
    .filter((section) => section !== '');
  const [heading] = report.split('\n', 1);
  const place = sections.findIndex((section) => section.split('\n', 1)[0] === heading);
  const written = sections.toSpliced(place < 0 ? sections.length : place, place < 0 ? 0 : 1, report.trim());
  return `${written.join('\n\n')}\n`;
}

import { forTask, withCode, type Scripts } from '../../src/testing/index.ts';

/** A root, 39 agents below it, and 4 below each of those (8 below the last): 200. */
export const AGENTS = 200;
const SECTIONS = 39;
const pagesOf = (section: number): number => (section === SECTIONS - 1 ? 8 : 4);
/** What the model is asked when nothing is asked twice: two turns of every agent, and one grade for each section. */
export const CALLS = 2 * AGENTS + SECTIONS;

export const PROMPT = 'Audit the library.';

/** Every block leaves a mark in its sandbox; an agent's report tells how often each block ran. */
const mark = (name: string): string => `open("/tmp/marks", "a").write("${name}\\n")`;
const MARKS = 'marks = "+".join(open("/tmp/marks").read().split())';

const ROOT = [
  [mark('r1'), `sections = rlm_query_batched([f"Survey section {i}" for i in range(${SECTIONS})])`],
  [mark('r2'), MARKS, 'FINAL({"sections": sections, "marks": marks})'],
];

const SECTION = [
  [
    mark('s1'),
    'i = int(task.split()[2])',
    `pages = rlm_query_batched([f"Count page {i}.{j}" for j in range(8 if i == ${SECTIONS - 1} else 4)])`,
    'grade = llm_query(f"Grade section {i}")',
  ],
  [mark('s2'), MARKS, 'FINAL(f"section {i}, {grade}, {marks}: " + "; ".join(pages))'],
];

const PAGE = [
  [mark('p1'), 'page = task.split()[2]', 'words = sum(ord(c) ** 2 for c in page)'],
  [mark('p2'), MARKS, 'FINAL(f"page {page} has {words} words, {marks}")'],
];

const replies = (blocks: readonly (readonly string[])[]): string[] => blocks.map((lines) => withCode(lines.join('\n')));

const scripts: Scripts = [
  forTask(PROMPT, replies(ROOT)),
  forTask(/Survey section \d+/, replies(SECTION)),
  forTask(/Count page \d+\.\d+/, replies(PAGE)),
  (conversation) => {
    const prompt = conversation.messages.length === 1 ? (conversation.messages[0]?.content ?? '') : '';
    return prompt.startsWith('Grade section ') ? `grade ${Number(prompt.slice(14)) * 7}` : undefined;
  },
];
export default scripts;

/** What is wrong with the root's answer: reports missing or out of place, a block that ran twice. */
export function problemsOf(answer: unknown): string[] {
  const { sections, marks } = answer as { sections?: readonly string[]; marks?: string };
  const problems = marks === 'r1+r2' ? [] : [`the root's blocks ran as ${marks}`];
  if (sections?.length !== SECTIONS) return [...problems, `${sections?.length} sections`];
  for (const [section, report] of sections.entries()) {
    const expected = sectionReport(section);
    if (report !== expected) problems.push(`section ${section}: ${report.slice(0, 200)}`);
  }
  return problems;
}

function sectionReport(section: number): string {
  const pages = Array.from({ length: pagesOf(section) }, (_, index) => {
    const page = `${section}.${index}`;
    const words = Array.from(page, (character) => character.charCodeAt(0) ** 2).reduce(
      (sum, square) => sum + square,
      0,
    );
    return `page ${page} has ${words} words, p1+p2`;
  });
  return `section ${section}, grade ${section * 7}, s1+s2: ${pages.join('; ')}`;
}

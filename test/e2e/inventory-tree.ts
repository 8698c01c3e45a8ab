import { forTask, withCode, type Scripts } from '../../src/testing/index.ts';

export const PROMPT = 'Inventory the repository.';

/** A root, agents below it, and one more below the first of those. */
export interface InventoryTree {
  readonly agents: number;
  readonly scripts: Scripts;
  /** What is wrong with an answer: reports out of place, a block that ran twice, another commit. */
  problemsOf(answer: InventoryAnswer, commit: string): string[];
}

export interface InventoryAnswer {
  readonly reports: readonly string[];
  readonly grades: readonly string[];
  readonly best: string;
  readonly marks: readonly string[];
  readonly commit: string;
}

export function inventoryTree(children: number, withGrandchild: number): InventoryTree {
  return {
    agents: 1 + children + withGrandchild,
    scripts: scriptsOf(children, withGrandchild),
    problemsOf: (answer, commit) => problemsOf(answer, commit, children, withGrandchild),
  };
}

/** Every block leaves a mark in its sandbox; an agent's report tells how often each block ran. */
const mark = (name: string): string => `open("/tmp/marks", "a").write("${name}\\n")`;
const MARKS = 'marks = sorted(open("/tmp/marks").read().split())';

const REAL_WORK = [
  'import os, subprocess, time',
  'files = sorted(os.path.join(d, f) for d, _, fs in os.walk(".") if ".git" not in d for f in fs if f.endswith(".py"))',
  'todo = sum(open(f, encoding="utf-8", errors="replace").read().count("TODO") for f in files)',
  'commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()',
  'time.sleep(0.05)',
].join('\n');

const rootOf = (children: number): string[] =>
  [
    [
      mark('r1'),
      `reports = rlm_query_batched([f"Inspect part {i} of the tree" for i in range(${children})])`,
      'print(len(reports), reports[0])',
    ],
    [
      mark('r2'),
      'grades = llm_query_batched([f"Grade report {i}" for i in range(12)])',
      'best = llm_query("Which one is best?")',
      'print(grades, best)',
    ],
    [
      mark('r3'),
      REAL_WORK,
      'target = next(f for f in files if "TODO" in open(f, encoding="utf-8").read())',
      'text = open(target, encoding="utf-8").read()',
      'line = next(l for l in text.splitlines() if "TODO" in l)',
      'print(edit_file(target, line, line.replace("TODO", "DONE"), replace_all=True))',
      'open("new file.bin", "wb").write(bytes(range(256)))',
    ],
    [
      mark('r4'),
      MARKS,
      'FINAL({"reports": reports, "grades": grades, "best": best, "marks": marks, "commit": commit})',
    ],
  ].map((lines) => withCode(lines.join('\n')));

const CHILD_WITH_GRANDCHILD = [
  [mark('c1'), REAL_WORK, 'part = task.split()[2]', 'below = rlm_query(f"Look closely at {part}")'],
  [
    mark('c2'),
    MARKS,
    'FINAL(f"part {part} at {commit[:8]}: {todo} TODOs in {len(files)} files; below: {below}; marks {marks}")',
  ],
].map((lines) => withCode(lines.join('\n')));

const CHILD = [
  [mark('c1'), REAL_WORK, 'part = task.split()[2]'],
  [mark('c2'), MARKS, 'FINAL(f"part {part} at {commit[:8]}: {todo} TODOs in {len(files)} files; marks {marks}")'],
].map((lines) => withCode(lines.join('\n')));

const GRANDCHILD = [
  [mark('g1'), REAL_WORK],
  [mark('g2'), MARKS, 'FINAL(f"{todo} TODOs; marks {marks}")'],
].map((lines) => withCode(lines.join('\n')));

const scriptsOf = (children: number, withGrandchild: number): Scripts => [
  forTask(PROMPT, rootOf(children)),
  forTask(
    new RegExp(`Inspect part (${Array.from({ length: withGrandchild }, (_, i) => i).join('|')}) of`),
    CHILD_WITH_GRANDCHILD,
  ),
  forTask(/Inspect part \d+ of/, CHILD),
  forTask(/Look closely at/, GRANDCHILD),
  (conversation) => {
    const prompt = conversation.messages.length === 1 ? (conversation.messages[0]?.content ?? '') : '';
    if (prompt.startsWith('Grade report')) return `grade of ${prompt.slice(13)}`;
    return prompt === 'Which one is best?' ? 'the first' : undefined;
  },
];

function problemsOf(answer: InventoryAnswer, commit: string, children: number, withGrandchild: number): string[] {
  const problems: string[] = [];
  if (answer.commit !== commit) problems.push(`the root worked on ${answer.commit}`);
  if (answer.marks.join(' ') !== 'r1 r2 r3 r4') problems.push(`the root's blocks ran as ${answer.marks.join(' ')}`);
  if (answer.reports.length !== children) problems.push(`${answer.reports.length} reports`);
  for (const [index, report] of answer.reports.entries()) {
    const below = index < withGrandchild ? "; below: \\d+ TODOs; marks \\['g1', 'g2'\\]" : '';
    const expected = new RegExp(
      `^part ${index} at ${commit.slice(0, 8)}: \\d+ TODOs in \\d+ files${below}; marks \\['c1', 'c2'\\]$`,
    );
    if (!expected.test(report)) problems.push(`report ${index}: ${report}`);
  }
  for (const [index, grade] of answer.grades.entries())
    if (grade !== `grade of ${index}`) problems.push(`grade ${index}: ${grade}`);
  if (answer.grades.length !== 12 || answer.best !== 'the first') problems.push('grades are missing');
  return problems;
}

/** The reference's tree: a root, 25 agents below it, 15 of them with one below. */
export const FORTY_ONE_AGENTS = inventoryTree(25, 15);

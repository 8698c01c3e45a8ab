import type { Conversation } from 'durable-rlm/testing';
import { counted } from './investigator.ts';
import { pythonCodeBeside, pythonLiteral, thinkAndRun } from '../python-code.ts';

const pythonCode = pythonCodeBeside(import.meta.url);

/** Sub-agents of the root, where the repository has as many parts. */
const WANTED = 12;

/** The turn in which it edits; the first is 0. */
const EDIT_TURN = 4;

/** A proposal among the reports, as the code prints it. */
interface Choice {
  readonly file: string;
  readonly line: number;
  readonly why: string;
  readonly edit: { readonly old: string; readonly new: string };
}

/** The root: it surveys, delegates, chooses from the reports, looks for itself, edits, checks and concludes. */
export function leadReply(conversation: Conversation): string | undefined {
  const { turn, last } = conversation;
  if (last.includes('\n<error ')) return giveUp(conversation);
  if (turn === 0) return survey();
  if (turn === 1) return delegate(last);
  if (turn === 2) return choose(last);
  const choice = choiceIn(conversation);
  if (choice === undefined) return turn === 3 ? concludeUnresolved() : undefined;
  return [lookClosely, edit, conclude][turn - 3]?.(choice);
}

function survey(): string {
  return thinkAndRun(
    'First I look myself how many such comments there are and where, so that the work is split sensibly.',
    pythonCode('survey'),
  );
}

function delegate(last: string): string {
  const [, lines = '0', files = '0'] = /^(\d+) lines with TODO, FIXME or XXX in (\d+) of/m.exec(last) ?? [];
  if (lines === '0') {
    return thinkAndRun(
      'There is no such comment in this repository, so there is nothing to delegate and nothing to change.',
      'FINAL("There is no TODO, FIXME or XXX comment in this repository, so nothing was changed.")',
    );
  }
  return thinkAndRun(
    `${lines} lines in ${files} files: to judge them all somebody has to read the code around them, and the folders can be read independently. One sub-agent for each, the smallest together. What "easy" means must be the same for all, so I say it in the task.`,
    pythonCode('delegate', { WANTED }),
  );
}

function choose(last: string): string {
  const failed = (last.match(/: Error:/g) ?? []).length;
  const all = failed === 0 ? 'All reports are here.' : `The reports are here, but for ${counted(failed, 'failure')}.`;
  return thinkAndRun(
    `${all} I put what they propose in one list. My rule: the least difficulty first, and only a change that its reader was certain of.`,
    pythonCode('choose'),
  );
}

function lookClosely({ file, line, why }: Choice): string {
  const name = /the constant (\w+):/.exec(why)?.[1];
  return thinkAndRun(
    name === undefined
      ? `${file}:${line} is the easiest. Before I change it I look at the place itself.`
      : `${file}:${line} is the easiest: it says that ${name} is no longer used, and its reader found that true. Before I change code on somebody's word I look at it myself.`,
    pythonCode('look-closely', { path: file, number: line, name }),
  );
}

function edit({ file, edit: { old, new: replacement } }: Choice): string {
  return thinkAndRun(
    'What I see agrees with the report. I make the change, then check that the file still compiles and that the diff holds nothing else.',
    `path = ${pythonLiteral(file)}\nprint(edit_file(path, ${pythonLiteral(old)}, ${pythonLiteral(replacement)}))\n\n${pythonCode('check')}`,
  );
}

function conclude(): string {
  return thinkAndRun(
    'The diff is what I meant, and nothing else. I finish with an account of it.',
    pythonCode('conclude'),
  );
}

function concludeUnresolved(): string {
  return thinkAndRun(
    'No reader was certain of a change, and I should not guess. I finish with what was found.',
    pythonCode('conclude-unresolved'),
  );
}

function giveUp({ last, turn }: Conversation): string {
  const error = last.slice(last.indexOf('\n<error ')).trim().split('\n');
  const reason = error.findLast((line) => /^\w*(Error|Exception|Exit)\b/.test(line)) ?? error.at(1) ?? '';
  const finish = `FINAL(${pythonLiteral(`Nothing was changed, because my code failed: ${reason}`)})`;
  return turn > EDIT_TURN
    ? thinkAndRun(
        'Something is wrong with my change. I take it back and say so.',
        `git("checkout", "--", ".")\n${finish}`,
      )
    : thinkAndRun('My code fails here in a way that I cannot mend. I have changed nothing, and say so.', finish);
}

function choiceIn({ messages }: Conversation): Choice | undefined {
  for (const { role, content } of messages) {
    const json = role === 'user' ? /^Choice: (\{.*\})$/m.exec(content)?.[1] : undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- printed by choose.py
    if (json !== undefined) return JSON.parse(json) as Choice;
  }
  return undefined;
}

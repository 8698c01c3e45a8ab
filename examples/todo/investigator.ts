import type { Conversation } from 'durable-rlm/testing';
import { pythonCodeBeside, thinkAndRun } from '../python-code.ts';

const pythonCode = pythonCodeBeside(import.meta.url);

/** More lines than this, in more than one file, are split among readers. */
const ONE_READER = 15;
/** Lines that a reader gets of what is split; and readers at most. */
const FOR_A_READER = 12;
const READERS = 4;

/** A sub-agent with a share of the repository: it counts, then reads by itself or splits its share further. */
export function investigatorReply(conversation: Conversation): string | undefined {
  const { turn, last } = conversation;
  if (last.includes('\n<error ')) return giveUp();
  if (turn === 0) return countFirst(conversation);
  const [lines, files] = countedIn(conversation);
  const delegates = lines > ONE_READER && files > 1 && !conversation.opening.includes('do not delegate it further');
  if (!delegates) return [() => readAndJudge(lines, files), () => report(last)][turn - 1]?.();
  if (turn === 1) return split(lines, files);
  const refused = outputOf(conversation, 2).includes(': Error:');
  if (turn === 2) return refused ? readAlone() : merge();
  return turn === 3 && refused ? mergeWithOwn() : undefined;
}

function countFirst({ opening }: Conversation): string {
  const pathspecs = stringsIn(/Pathspecs for git: (\[.*\])/.exec(opening)?.[1]);
  return thinkAndRun('Before I read anything I count, to see how much there is.', pythonCode('count', { pathspecs }));
}

function readAndJudge(lines: number, files: number): string {
  const size = `${counted(lines, 'line')} in ${counted(files, 'file')}: I can read that myself.`;
  return thinkAndRun(
    lines === 0
      ? 'There is nothing here. I build the empty report with the same code, so that it has the form asked for.'
      : `${size} I take the comments from the tokenizer, so that strings do not count, and judge each by its words. Where one says that something is unused I need not believe it: the syntax trees tell.`,
    pythonCode('judge'),
  );
}

function split(lines: number, files: number): string {
  const parts = Math.min(READERS, files, Math.ceil(lines / FOR_A_READER));
  return thinkAndRun(
    `${counted(lines, 'line')} in ${counted(files, 'file')} is too much for one careful reader, and the files do not depend on each other. I split them into ${parts} parts and have these read in parallel.`,
    `import json\n\n${pythonCode('split', { parts })}`,
  );
}

function merge(): string {
  return thinkAndRun(
    'All parts are back. I put them together, look whether the lines they name are really there, and report.',
    pythonCode('merge'),
  );
}

/** What was not read, for want of a budget or because its reader failed, is read by the agent itself. */
function readAlone(): string {
  return thinkAndRun(
    'Not every part found a reader, as the errors say. What is left over I read myself.',
    `marked = {
    path: marked[path] for group, report in zip(groups, reports) if report.startswith("Error:") for path in group
}

${pythonCode('judge')}`,
  );
}

function mergeWithOwn(): string {
  return thinkAndRun(
    'Now all is read. I put my own part with the others, look whether the lines they name are really there, and report.',
    `reports.append(json.dumps(report))\n\n${pythonCode('merge')}`,
  );
}

function report(last: string): string {
  const first = /^(\d) {2}(\S+:\d+) {2}(.*)$/m.exec(last);
  const [, difficulty, place] = first ?? [];
  const verdict =
    place === undefined
      ? 'Nothing to report from here.'
      : difficulty === '1'
        ? `${place} stands out: what it says can be checked in the code, I did, and it is true.`
        : difficulty === '2'
          ? `The easiest is ${place}, and there is not much to resolve in it.`
          : `The easiest is ${place}, and even that one nobody should change without asking.`;
  return thinkAndRun(`${verdict} I report.`, 'FINAL_VAR("report")');
}

/** A report of the same form, so that the caller continues with the others. */
function giveUp(): string {
  const empty = '{"comments": 0, "by_difficulty": {}, "easiest": []}';
  return thinkAndRun(
    'My code fails on these files. I report that I found nothing, rather than guess.',
    `FINAL(${empty})`,
  );
}

/** Lines and files, as the first block printed them. */
function countedIn({ messages }: Conversation): [lines: number, files: number] {
  for (const { role, content } of messages) {
    const found = /^(\d+) lines with TODO, FIXME or XXX in (\d+) files$/m.exec(content);
    if (role === 'user' && found !== null) return [Number(found[1]), Number(found[2])];
  }
  return [0, 0];
}

/** What the agent was told after its n-th reply. */
function outputOf({ messages }: Conversation, reply: number): string {
  const replies = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
  return messages[(replies[reply - 1] ?? messages.length) + 1]?.content ?? '';
}

function stringsIn(json: string | undefined): string[] {
  const value: unknown = json === undefined ? [] : JSON.parse(json);
  return Array.isArray(value) ? value.map(String) : [];
}

export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

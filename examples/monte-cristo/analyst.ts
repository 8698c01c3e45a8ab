import type { Conversation } from 'durable-rlm/testing';
import { pythonCodeBeside, thinkAndRun } from '../python-code.ts';

const code = pythonCodeBeside(import.meta.url);

/** Chapters in one prompt: about a quarter of a million characters. */
const TOGETHER = 10;

/** Times that an answer is asked for which cannot be read. */
const ATTEMPTS = 3;

const TURNS = [look, prepare, extract, cover, total, submit];

/** The agent of the analysis: it looks, has the chapters read in batches, checks what came, and submits it. */
export function analystReply(conversation: Conversation): string | undefined {
  const { turn, last } = conversation;
  if (last.includes('\n<error ')) return giveUp();
  return TURNS[turn]?.(last);
}

function look(): string {
  return thinkAndRun(
    'First I look at what I have: how many chapters there are, how long they are, and how they begin.',
    code('look'),
  );
}

function prepare(): string {
  return thinkAndRun(
    `Nobody reads all of this in one go, but a model can read ${TOGETHER} chapters at once. I make a prompt for each batch, which says exactly what form the answer is to have.`,
    code('prepare', { TOGETHER }),
  );
}

function extract(): string {
  return thinkAndRun(
    'The batches do not depend on each other, so I ask for all of them at once. Some answers may have words around the JSON, or be cut off: what cannot be read is asked for again.',
    code('extract', { ATTEMPTS }),
  );
}

function cover(last: string): string {
  const unread = /^Not read: (?!none)(.*)$/m.exec(last)?.[1];
  const begin =
    unread === undefined
      ? 'All batches are read.'
      : `Some batches could not be read (${unread}); I go on with what there is, and ask for their chapters one by one.`;
  return thinkAndRun(
    `${begin} Before I believe the rows I check them: is each of the form asked for, and does a chapter have none although it names somebody?`,
    code('cover'),
  );
}

function total(): string {
  return thinkAndRun(
    'Now each character on its own: how many rows, from where to where, and whether the turns of the story show.',
    code('total'),
  );
}

function submit(): string {
  return thinkAndRun(
    'Every chapter that names one of them is covered, and the arcs are what the story tells. I submit the rows.',
    'SUBMIT(wealth_data=wealth_data)',
  );
}

function giveUp(): string {
  return thinkAndRun(
    'My code fails here in a way that I cannot mend. I submit what was gathered until now.',
    'SUBMIT(wealth_data=globals().get("wealth_data", []))',
  );
}

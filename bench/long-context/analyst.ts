import { readFileSync } from 'node:fs';
import { withCode, type Conversation } from '../../src/testing/index.ts';

/** How the system's own prompt to the root of an analysis begins. */
const ROOT = 'You are an analyst. You are given';

/** What the root says, turn by turn: the same for every document, because it follows from the question's form alone. */
const NEEDLE = [
  ['I look at what I have.', code('look-at-document')],
  [
    'Nobody reads all of this at once. I cut it between paragraphs, ask of every part what it states, and ask again where the answer cannot be read.',
    code('read-document'),
  ],
  [
    'Before I believe the findings I look each sentence up, and put them into the order of the text.',
    code('check-codes'),
  ],
  ['Each of these stands in the document. I submit them.', 'SUBMIT(codes=codes)'],
] as const;
const AGGREGATION = [
  ['I look at what I have.', code('look-at-messages')],
  [
    'Each message has to be judged from its text. I have them labelled in batches, and ask again for those that an answer leaves out.',
    code('label-messages'),
  ],
  ['What is left is counting, which code does better than a model.', code('count-messages')],
  [
    'I submit what was counted.',
    'SUBMIT(counts=counts, most_frequent=most_frequent, busiest={"user": busiest, "messages": by_user[busiest]}, months=months)',
  ],
] as const;

/** The reply of the agent that solves a task; undefined for other conversations, and where its code has failed. */
export function analystReply({ opening, turn, last }: Conversation): string | undefined {
  if (!opening.startsWith(ROOT) || last.includes('\n<error ')) return undefined;
  const [thought, python] = (opening.includes('- document: str') ? NEEDLE : AGGREGATION)[turn] ?? [];
  return python === undefined ? undefined : withCode(python, thought);
}

function code(name: string): string {
  return readFileSync(new URL(`./python/${name}.py`, import.meta.url), 'utf8');
}

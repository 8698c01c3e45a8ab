import type { Random } from './random.ts';

/** What a message to a shop is about, and what that means. No message names its kind. */
export const KINDS = {
  account: 'the writer’s own entry in the shop’s books: signing in, name, address',
  advice: 'which thing to choose, or how to use it',
  defect: 'a thing is broken or does not do what it should',
  delivery: 'a thing that was ordered has not arrived',
  praise: 'the writer is pleased and wants nothing',
  refund: 'the writer wants money back',
} as const;

export type Kind = keyof typeof KINDS;

type Phrases = readonly [string, ...string[]];

/** In braces what chance fills in. */
const TEXTS: Readonly<Record<Kind, Phrases>> = {
  account: [
    'Your page no longer takes the word I sign in with, though I typed it {number} times.',
    'We have moved to another town; where can I change what you have written down about me?',
    'I married in {month} and go by another name now, but your letters still bear the old one.',
  ],
  advice: [
    'Which {thing} would suit a household of {number}?',
    'Can the {thing} be left outside when it rains?',
    'How often should one clean the {thing}, and what with?',
  ],
  defect: [
    'The {thing} went dark after {number} minutes and will not come on again.',
    'There is a crack along the side of the {thing}, and water runs out of it.',
    'My {thing} makes a grinding noise and smells of smoke.',
  ],
  delivery: [
    'My {thing} was due {number} days ago and there is still no sign of it.',
    'The van drove past my house again, and I sit here without the {thing}.',
    'You wrote in {month} that the {thing} was on its way, and nobody has rung my bell.',
  ],
  praise: [
    'The {thing} is lovelier than I had hoped, and the whole family uses it.',
    'After {number} months the {thing} still runs as on the first day, thank you.',
    'I have never had a better {thing}, and your people on the telephone are so kind.',
  ],
  refund: [
    'I brought the {thing} back {number} days ago and have not seen my money.',
    'The {thing} is not for me after all; how do I get what I paid for it?',
    'You took the price of the {thing} twice in {month}, please send one of the two sums back.',
  ],
};

const OPENINGS: Phrases = [
  '',
  'Hello. ',
  'My neighbour told me to write to you. ',
  'I have bought from you for {number} years. ',
  'Sorry to trouble you, last time all went well. ',
];
const CLOSINGS: Phrases = ['', ' Kind regards.', ' You have my number.', ' I am at home in the mornings.'];
const THINGS: Phrases = ['kettle', 'lamp', 'clock', 'radio', 'stove', 'fan', 'mixer', 'heater', 'pump', 'press'];
const MONTHS: Phrases = ['January', 'March', 'April', 'June', 'August', 'October'];

/** A message of this kind, in words that differ. */
export function writeMessage(random: Random, kind: Kind): string {
  return `${random.pick(OPENINGS)}${random.pick(TEXTS[kind])}${random.pick(CLOSINGS)}`
    .replaceAll('{thing}', () => random.pick(THINGS))
    .replaceAll('{month}', () => random.pick(MONTHS))
    .replaceAll('{number}', () => String(2 + random.below(28)));
}

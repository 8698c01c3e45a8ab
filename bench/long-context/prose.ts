import type { Random } from './random.ts';

type Words = readonly [string, ...string[]];

const WHO: Words = [
  'The ferryman',
  'A clerk of the harbour',
  'The miller’s daughter',
  'Old Tomas',
  'The schoolmaster',
  'A painter from the north',
  'The widow at the corner',
  'One of the gardeners',
  'The night watch',
  'A traveller without luggage',
  'The baker',
  'Her youngest brother',
];
const DID: Words = [
  'mended the fence',
  'waited for the tide',
  'read the letters aloud',
  'swept the yard',
  'spoke of the long winter',
  'carried the baskets uphill',
  'lost a glove',
  'counted the boats twice',
  'slept through the storm',
  'forgot the name of the street',
  'sold apples by the bridge',
  'walked home along the canal',
];
const WHEN: Words = [
  'before the bells rang',
  'on the second day of the fair',
  'while the rain lasted',
  'as in every spring',
  'without a word to anyone',
  'when the lamps were lit',
  'long after the others had left',
  'to the surprise of the neighbours',
];
const WHY: Words = [
  'and nobody asked why',
  'because the road was closed',
  'for there was nothing else to do',
  'though the wind had turned',
  'and that was the end of it',
  'as the almanac had promised',
];
const ASIDES: Words = [
  'The river was low that year.',
  'There are people who still talk about it.',
  'The house has a green door now.',
  'It smelled of tar and of bread.',
  'Of the old wall nothing is left.',
];

/** One sentence about nothing much. Some have a number of seven digits that means nothing. */
export function idleSentence(random: Random): string {
  if (random.chance(0.1)) return random.pick(ASIDES);
  if (random.chance(0.01)) return `The register of that year lists ${sevenDigits(random)} bales of wool.`;
  const when = random.pick(WHEN);
  return `${random.pick(WHO)} ${random.pick(DID)} ${when}${random.chance(0.6) ? `, ${random.pick(WHY)}` : ''}.`;
}

export function sevenDigits(random: Random): string {
  return String(1_000_000 + random.below(9_000_000));
}

const QUALITIES: Words = [
  'amber',
  'brittle',
  'copper',
  'distant',
  'eager',
  'faded',
  'gentle',
  'hollow',
  'ivory',
  'jagged',
  'lonely',
  'marble',
  'narrow',
  'olive',
  'patient',
  'quiet',
];
const THINGS: Words = [
  'anchor',
  'beacon',
  'cellar',
  'drawer',
  'engine',
  'fountain',
  'gallery',
  'heron',
  'island',
  'kennel',
  'lantern',
  'mirror',
  'orchard',
  'pavilion',
  'quarry',
  'tower',
];

/** What a code may belong to, such as `amber heron`. */
export function someKey(random: Random): string {
  return `${random.pick(QUALITIES)} ${random.pick(THINGS)}`;
}

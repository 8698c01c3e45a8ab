import { idleSentence, sevenDigits, someKey } from './prose.ts';
import { createRandom, seedOf, type Random } from './random.ts';
import { CHARACTERS_PER_TOKEN, type LongContextTask, type TaskSize } from './task.ts';

/** What is hidden: one code; one among many of others; many of one among many of others. */
export type NeedleVariant = 'one' | 'keys' | 'values';

const TITLES: Readonly<Record<NeedleVariant, string>> = {
  one: 'one code hidden in idle prose',
  keys: 'one code among those of other things, one for every thousand tokens',
  values: 'eight codes of one thing among those of other things',
};

/** Codes of the thing that is asked about. */
const WANTED: Readonly<Record<NeedleVariant, number>> = { one: 1, keys: 1, values: 8 };

/** Tokens of the document for each statement about something else. */
const TOKENS_PER_DISTRACTION = 1000;

/** How the document says that a code belongs to something. */
export const STATEMENTS: readonly [Phrase, ...Phrase[]] = [
  (key, code) => `The code of the ${key} is ${code}.`,
  (key, code) => `Whoever asks for the ${key} is to be told ${code}.`,
  (key, code) => `${code} is what opens the ${key}.`,
  (key, code) => `For the ${key} the keeper wrote ${code} on the inside of the door.`,
];

/** Says something about it with such a number, which is not its code. */
export const DECOYS: readonly [Phrase, ...Phrase[]] = [
  (key, code) => `The ${key} was sold for ${code} crowns.`,
  (key, code) => `They say that the ${key} has been seen by ${code} people.`,
];

type Phrase = (key: string, code: string) => string;

interface Sentence {
  readonly text: string;
  /** A code that is wanted. */
  readonly code?: string;
}

/**
 * A document in which codes are stated here and there, and a question for those of one thing: all of them, in their
 * order. The words around the codes differ, so that a search for a phrase does not find them all.
 */
export function makeNeedleTask(variant: NeedleVariant, { tokens, seed }: TaskSize): LongContextTask {
  const random = createRandom(seedOf(seed, tokens));
  const size = tokens * CHARACTERS_PER_TOKEN;
  const key = someKey(random);
  const hidden = hiddenSentences(random, { variant, key, tokens });
  const room = size - hidden.reduce((sum, { text }) => sum + text.length + 1, 0);
  const paragraphs = hide(random, hidden, idleParagraphs(random, room));
  const document = paragraphs.map((sentences) => sentences.map(({ text }) => text).join(' ')).join('\n\n');
  return {
    name: `needle-${variant}`,
    title: TITLES[variant],
    signature: 'document: str, question: str -> codes: list[str]',
    instructions: 'Answer the question from the document alone.',
    inputs: {
      document,
      question: `Which codes belong to the ${key}? Give every one that the document states, in the order in which it does.`,
    },
    expected: { codes: paragraphs.flat().flatMap(({ code }) => code ?? []) },
    tokens: document.length / CHARACTERS_PER_TOKEN,
  };
}

function hiddenSentences(
  random: Random,
  { variant, key, tokens }: { readonly variant: NeedleVariant; readonly key: string; readonly tokens: number },
): Sentence[] {
  const taken = new Set<string>();
  const newCode = (): string => {
    let code = sevenDigits(random);
    while (taken.has(code)) code = sevenDigits(random);
    taken.add(code);
    return code;
  };
  const wanted = Array.from({ length: WANTED[variant] }, () => {
    const code = newCode();
    return { text: random.pick(STATEMENTS)(key, code), code };
  });
  const decoys = DECOYS.map((say) => ({ text: say(key, newCode()) }));
  const others = variant === 'one' ? 0 : Math.ceil(tokens / TOKENS_PER_DISTRACTION);
  const distractions = Array.from({ length: others }, () => ({
    text: random.pick(STATEMENTS)(otherKey(random, key), newCode()),
  }));
  return [...wanted, ...decoys, ...distractions];
}

function otherKey(random: Random, key: string): string {
  const other = someKey(random);
  return other === key ? otherKey(random, key) : other;
}

/** Of at most so many characters with what stands between them. */
function idleParagraphs(random: Random, room: number): Sentence[][] {
  const paragraphs: Sentence[][] = [[]];
  let left = room;
  for (;;) {
    const text = idleSentence(random);
    const last = paragraphs.at(-1);
    const begins = last === undefined || random.chance(last.length / 12);
    left -= text.length + (begins ? 2 : 1);
    if (left < 0) return paragraphs;
    if (begins) paragraphs.push([{ text }]);
    else last.push({ text });
  }
}

/** Each at a place that chance chooses, so at any depth. */
function hide(random: Random, hidden: readonly Sentence[], paragraphs: readonly Sentence[][]): Sentence[][] {
  const at = new Map<number, Sentence[]>();
  for (const sentence of hidden) {
    const place = random.below(paragraphs.length);
    at.set(place, [...(at.get(place) ?? []), sentence]);
  }
  return paragraphs.map((sentences, place) =>
    (at.get(place) ?? []).reduce(
      (filled, sentence) => filled.toSpliced(random.below(filled.length + 1), 0, sentence),
      sentences,
    ),
  );
}

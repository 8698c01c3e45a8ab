import { KINDS, writeMessage, type Kind } from './messages.ts';
import { createRandom, seedOf, type Random } from './random.ts';
import { CHARACTERS_PER_TOKEN, type LongContextTask, type TaskSize } from './task.ts';

const ALL_KINDS = (Object.keys(KINDS) as Kind[]).toSorted();
const USERS = 40;
const YEAR = 2024;
const MILLISECONDS_PER_DAY = 86_400_000;

/** Most is written by few: so much of it by so many. */
const LOUD = { share: 0.8, users: USERS / 5 };

interface Entry {
  readonly kind: Kind;
  readonly user: number;
  /** `2024-03-17` */
  readonly date: string;
  readonly line: string;
}

/**
 * Messages of a year, each of a kind that it does not name, and questions that can be answered only when the kind of
 * every one is known: how many of each, which the most, of which user, and in which month. How frequent a kind is
 * differs from task to task, and in a task from month to month.
 */
export function makeAggregationTask({ tokens, seed }: TaskSize): LongContextTask {
  const random = createRandom(seedOf(seed, tokens));
  const entries = makeEntries(random, tokens * CHARACTERS_PER_TOKEN);
  const watched = random.pick<Kind>(['account', 'defect', 'delivery', 'refund']);
  return {
    name: 'aggregation',
    title: 'messages counted by their kind, over all, by user and by month',
    signature:
      'messages: list[str], kinds: dict[str, str], watched: str -> counts: dict[str, int], most_frequent: str, ' +
      'busiest: {user: int, messages: int}, months: dict[str, str]',
    instructions:
      'Each message reads "date | user | text" and is of one of the kinds, to be judged from its text. Give the number ' +
      'of messages of each kind; the most frequent kind; the user with the most messages of the kind `watched`, and ' +
      'how many those are; and the most frequent kind of each month (as "2024-01"). Where several are equal, take the ' +
      'kind that comes first in the alphabet, the user with the lowest number.',
    inputs: { messages: entries.map(({ line }) => line), kinds: KINDS, watched },
    expected: answerOf(entries, watched),
    tokens: entries.reduce((sum, { line }) => sum + line.length + 1, 0) / CHARACTERS_PER_TOKEN,
  };
}

function makeEntries(random: Random, size: number): Entry[] {
  const byMonth = Array.from({ length: 12 }, () => ALL_KINDS.map(() => 1 + random.below(5)));
  const overall = ALL_KINDS.map(() => 1 + random.below(5));
  const weights = byMonth.map((month) => month.map((weight, kind) => weight * (overall[kind] ?? 1)));
  const entries: Entry[] = [];
  let left = size;
  for (;;) {
    const entry = makeEntry(random, weights);
    left -= entry.line.length + 1;
    if (left < 0) return entries;
    entries.push(entry);
  }
}

function makeEntry(random: Random, weights: readonly (readonly number[])[]): Entry {
  const day = new Date(Date.UTC(YEAR, 0, 1) + random.below(366) * MILLISECONDS_PER_DAY);
  const kind = ALL_KINDS[random.weighted(weights[day.getUTCMonth()] ?? [])] ?? 'praise';
  const user = 1 + (random.chance(LOUD.share) ? random.below(LOUD.users) : random.below(USERS));
  const date = day.toISOString().slice(0, 10);
  return { kind, user, date, line: `${date} | user ${user} | ${writeMessage(random, kind)}` };
}

function answerOf(entries: readonly Entry[], watched: Kind): unknown {
  const byUser = Map.groupBy(
    entries.filter(({ kind }) => kind === watched),
    ({ user }) => user,
  );
  const users = [...byUser].toSorted(([a, ofA], [b, ofB]) => ofB.length - ofA.length || a - b);
  const byMonth = Map.groupBy(entries, ({ date }) => date.slice(0, 7));
  return {
    counts: countKinds(entries),
    most_frequent: mostFrequent(entries),
    busiest: { user: users[0]?.[0] ?? 0, messages: users[0]?.[1].length ?? 0 },
    months: Object.fromEntries([...byMonth].map(([month, ofMonth]) => [month, mostFrequent(ofMonth)])),
  };
}

function countKinds(entries: readonly Entry[]): Record<Kind, number> {
  const counts = ALL_KINDS.map((kind) => [kind, entries.filter((entry) => entry.kind === kind).length]);
  return Object.fromEntries(counts) as Record<Kind, number>;
}

function mostFrequent(entries: readonly Entry[]): Kind {
  const counts = countKinds(entries);
  return ALL_KINDS.reduce((best, kind) => (counts[kind] > counts[best] ? kind : best));
}

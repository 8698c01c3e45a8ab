import { isRecord } from '../domain/is-record.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import { answerText } from '../results/export-agent.ts';
import type { AgentView, Provenance, ProvenancePart } from './model.ts';
import type { RunSource } from './run-source.ts';

/** Parts of an answer that are looked for, answers that are looked through, and characters of each. */
const MAX_PARTS = 200;
const MAX_SOURCES = 500;
const MAX_CHARACTERS = 200_000;
/** Words in a row that two texts share where one comes from the other. */
const SHARED_WORDS = 5;
const MAX_FROM = 3;
const EXCERPT = 160;

interface Source {
  readonly agent: string | null;
  readonly call: string | null;
  readonly iteration: number | null;
  readonly text: string;
}

/**
 * Where a run's answer comes from: the iteration whose code gave it, and for each of its sentences or fields the answers
 * of sub-agents and models, and the outputs, that say the same words. The trajectory knows what the code was given, not
 * what it did with it: so what is found is likely, and said to be.
 */
export async function readProvenance(source: RunSource, run: string): Promise<Provenance | undefined> {
  const [root, answer] = [await source.agent(run, ROOT_AGENT), await source.answer(run)];
  if (root === undefined) return undefined;
  const final = root.iterations.findLast(({ blocks }) => blocks.some((block) => block.final)) ?? root.iterations.at(-1);
  const given = await answersGiven(source, run, root);
  const printed = root.iterations.flatMap(({ iteration, blocks }): Source[] =>
    blocks.map(({ stdout }) => ({
      agent: ROOT_AGENT,
      call: null,
      iteration,
      text: stdout.text.slice(0, MAX_CHARACTERS),
    })),
  );
  const parts = partsOf(answer).slice(0, MAX_PARTS);
  const indexed = [...given, ...printed].map((each) => ({ source: each, words: wordsOf(each.text) }));
  return {
    agent: ROOT_AGENT,
    iteration: final?.iteration ?? null,
    code: final?.blocks.findLast((block) => block.final)?.code ?? null,
    parts: parts.map(({ field, text }) => ({ field, text, from: findIn(text, indexed) })),
    sources: given.map(({ agent, call, iteration }) => ({ agent, call: call ?? '', iteration: iteration ?? 0 })),
  };
}

/** What calls of the root's code were answered; the answers of its sub-agents where calls cannot be read. */
async function answersGiven(source: RunSource, run: string, root: AgentView): Promise<Source[]> {
  const found: Source[] = [];
  for (const { iteration, blocks } of root.iterations) {
    for (const call of blocks.flatMap((block) => block.calls)) {
      if (found.length >= MAX_SOURCES) return found;
      // oxlint-disable-next-line no-await-in-loop -- bounded, and in their order
      const details = await source.call(run, { agent: ROOT_AGENT, call: call.call, first: 0, limit: MAX_SOURCES });
      for (const { child, answer } of details?.items ?? [])
        if (answer !== null)
          found.push({ agent: child, call: call.call, iteration, text: answer.text.slice(0, MAX_CHARACTERS) });
    }
  }
  if (found.length > 0) return found;
  for (const child of root.children.slice(0, MAX_SOURCES)) {
    // oxlint-disable-next-line no-await-in-loop -- as above
    const answer = (await source.agent(run, child))?.answer;
    if (answer !== null && answer !== undefined)
      found.push({ agent: child, call: null, iteration: null, text: answer.text.slice(0, MAX_CHARACTERS) });
  }
  return found;
}

/** Sentences of a text; of fields each field, of lists each entry. */
function partsOf(answer: unknown): { readonly field: string | null; readonly text: string }[] {
  if (answer === undefined || answer === null) return [];
  if (typeof answer === 'string') return sentences(answer).map((text) => ({ field: null, text }));
  if (!isRecord(answer)) return partsOfField('', answer).map(({ text }) => ({ field: null, text }));
  return Object.entries(answer).flatMap(([field, value]) => partsOfField(field, value));
}

function partsOfField(field: string, value: unknown): { readonly field: string; readonly text: string }[] {
  if (Array.isArray(value))
    return value.map((item: unknown, index) => ({ field: `${field}[${index}]`, text: answerText(item) }));
  if (typeof value === 'string') return sentences(value).map((text) => ({ field, text }));
  return [{ field, text: answerText(value) }];
}

function sentences(text: string): string[] {
  return text
    .slice(0, MAX_CHARACTERS)
    .split(/(?<=[.!?])\s+|\n+/)
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

interface Words {
  readonly lower: string;
  readonly list: readonly string[];
}

function wordsOf(text: string): Words {
  const list = text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
  return { list, lower: ` ${list.join(' ')} ` };
}

function findIn(
  text: string,
  indexed: readonly { readonly source: Source; readonly words: Words }[],
): ProvenancePart['from'] {
  const { list, lower } = wordsOf(text);
  if (list.length === 0) return [];
  const size = Math.min(SHARED_WORDS, list.length);
  const runs = Array.from({ length: list.length - size + 1 }, (_, at) => ` ${list.slice(at, at + size).join(' ')} `);
  return indexed
    .map(({ source, words }) => {
      const whole = words.lower.includes(lower);
      const shared = whole ? runs.length : runs.filter((run) => words.lower.includes(run)).length;
      return { source, score: shared / runs.length, first: runs.find((run) => words.lower.includes(run)) };
    })
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, MAX_FROM)
    .map(({ source: { agent, call, iteration, text: found }, first = '' }) => ({
      agent,
      call,
      iteration,
      excerpt: excerptOf(found, first.trim().split(' ')[0] ?? ''),
    }));
}

function excerptOf(text: string, word: string): string {
  const at = Math.max(0, text.toLowerCase().indexOf(word) - EXCERPT / 4);
  return text.slice(at, at + EXCERPT);
}

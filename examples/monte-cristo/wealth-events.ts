/**
 * Who is how rich in a chapter, by rules instead of a model: the names and their known story from `arcs.ts`, and
 * words of wealth or want in the sentences that name somebody.
 */
import { ARCS, type Arc, type ArcStage } from './arcs.ts';

export interface WealthEvent {
  readonly chapter: number;
  readonly character: string;
  /** 1 to 10. */
  readonly wealth: number;
  readonly event: string;
}

const RICH =
  /\b(?:rich(?:es|est|er|ly)?|wealth[yi]?\w*|fortunes?|millions?|millionaires?|gold(?:en)?|diamonds?|jewels?|treasures?|luxur\w+|magnificen\w+|splend\w+|palaces?|mansions?|unlimited credit|letters? of credit|bankers?|opulen\w+|dowry|inherit\w*|heir(?:ess)?)\b/gi;
const POOR =
  /\b(?:poor(?:er|est)?|poverty|ruin(?:ed)?|bankrupt\w*|destitut\w+|beggar\w*|hungry|hunger|starv\w+|misery|miserable|wretched\w*|debts?|dungeon|prison(?:er)?|penniless|losses|rags|famine|need(?:y)?)\b/gi;
/** Tell that money is spoken of, not on which side. */
const MONEY =
  /\b(?:francs|louis|crowns|piastres|sous|livres|money|pay|paid|purse|price|property|estate|salary|income)\b/gi;

/** Characters of a quotation. */
const QUOTED = 110;

/** All that the rules find in one chapter, in the order of the characters. */
export function wealthEventsIn(chapter: number, text: string): WealthEvent[] {
  const sentences = sentencesOf(text).map(weighed);
  return Object.entries(ARCS).flatMap(([character, arc]) => {
    const stage = stageAt(arc, chapter);
    const naming = stage === undefined ? [] : sentencesNaming(sentences, arc, chapter);
    const best = strongest(naming);
    if (stage === undefined || best === undefined) return [];
    const wealth = Math.min(10, Math.max(1, stage.wealth + leaning(naming)));
    return [{ chapter, character, wealth, event: `${stage.what}: “${quotation(best.text)}”` }];
  });
}

interface Sentence {
  readonly text: string;
  readonly rich: number;
  readonly poor: number;
  readonly money: number;
}

function stageAt({ stages, ends = Infinity }: Arc, chapter: number): ArcStage | undefined {
  return chapter > ends ? undefined : stages.findLast(({ from }) => from <= chapter);
}

function sentencesNaming(sentences: readonly Sentence[], { names }: Arc, chapter: number): Sentence[] {
  const known = names.filter(({ from }) => from <= chapter);
  return sentences.filter(({ text }) => known.some(({ pattern }) => pattern.test(text)));
}

/** Where most is said of money; of equals the one that is best quoted, of those the first. */
function strongest(sentences: readonly Sentence[]): Sentence | undefined {
  return sentences.toSorted((one, other) => weight(other) - weight(one) || awkwardness(one) - awkwardness(other))[0];
}

/** How far a sentence's length is from that of a good quotation. */
function awkwardness({ text }: Sentence): number {
  return Math.abs(text.length - QUOTED * 0.8);
}

function weight({ rich, poor, money }: Sentence): number {
  return Math.min(4, 2 * rich + 2 * poor + money);
}

/** By one up or down where a chapter's words are clearly of one kind. */
function leaning(sentences: readonly Sentence[]): -1 | 0 | 1 {
  const rich = sentences.reduce((sum, sentence) => sum + sentence.rich, 0);
  const poor = sentences.reduce((sum, sentence) => sum + sentence.poor, 0);
  if (rich >= 4 && rich > 3 * poor) return 1;
  return poor >= 3 && poor > 2 * rich ? -1 : 0;
}

function sentencesOf(text: string): string[] {
  const flowing = text
    .replace(/^Chapter .*$/m, '')
    .replaceAll('_', '')
    .replaceAll(/\s+/g, ' ');
  return flowing
    .replaceAll(/\b(M|Mr|Mme|St|MM)\. /g, '$1.\u00a0')
    .split(/(?<=[.!?][”’]?) (?=[“‘A-ZÀ-Ý])/)
    .map((sentence) => sentence.replaceAll('\u00a0', ' ').trim());
}

function weighed(text: string): Sentence {
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  return { text, rich: count(RICH), poor: count(POOR), money: count(MONEY) };
}

/** A part of the sentence around its first word of money, without quotation marks left open. */
function quotation(sentence: string): string {
  const plain = sentence.replaceAll(/[“”"]/g, '').trim();
  if (plain.length <= QUOTED) return plain.replace(/[;,.]$/, '');
  const places = [RICH, POOR, MONEY].map((pattern) => plain.search(pattern)).filter((place) => place >= 0);
  const around = Math.max(0, Math.min(...places, plain.length) - QUOTED / 2);
  const start = around === 0 || places.length === 0 ? 0 : plain.indexOf(' ', around) + 1;
  const end = start + QUOTED >= plain.length ? plain.length : plain.lastIndexOf(' ', start + QUOTED);
  const part = plain.slice(start, end).replace(/[;,.]$/, '');
  return `${start === 0 ? '' : '... '}${part}${end === plain.length ? '' : ' ...'}`;
}

import type { Kind } from './messages.ts';

/** How the model reads what is put before it. */
export interface Reading {
  /** Looks at the first half of each text only, as models do with long ones. Default: at all of it. */
  readonly careless?: boolean;
}

/** One answer in so many ends too early, as it happens with models: the code has to notice. */
const CUT_SHORT = 8;

/**
 * The model's answer to a prompt with a text in it, by rules that see nothing but that prompt. Undefined for other
 * prompts.
 */
export function readerReply(prompt: string, reading: Reading = {}): string | undefined {
  const answer = codesReply(prompt, reading) ?? kindsReply(prompt, reading);
  const whole = prompt.endsWith('Answer with the JSON list alone.') || prompt.length % CUT_SHORT > 0;
  return whole ? answer : answer?.slice(0, answer.length * 0.7);
}

function seen(text: string, { careless = false }: Reading): string {
  return careless ? text.slice(0, text.length / 2) : text;
}

/** The ways in which a sentence says that a code belongs to something, each with the thing and the code. */
const BELONGS: readonly RegExp[] = [
  /^The code of the (?<key>\w+ \w+) is (?<code>\d+)/,
  /asks for the (?<key>\w+ \w+) is to be told (?<code>\d+)/,
  /^(?<code>\d+) is what opens the (?<key>\w+ \w+)/,
  /^For the (?<key>\w+ \w+) the keeper wrote (?<code>\d+)/,
];

function codesReply(prompt: string, reading: Reading): string | undefined {
  const wanted = /^Which codes belong to the (\w+ \w+)\?/.exec(prompt)?.[1];
  const [, part] = prompt.split('\n=== Part ===\n');
  if (wanted === undefined || part === undefined) return undefined;
  const sentences = seen(part, reading).match(/[^.\n]+\./g) ?? [];
  const found = sentences.flatMap((text) => {
    const sentence = text.trim();
    const groups = BELONGS.map((pattern) => pattern.exec(sentence)?.groups).find((match) => match !== undefined);
    return groups?.['key'] === wanted ? [{ code: groups['code'], sentence }] : [];
  });
  return `This is what the part says:\n\n\`\`\`json\n${JSON.stringify(found, null, 2)}\n\`\`\``;
}

/** What gives a message's kind away. */
const SIGNS: readonly (readonly [Kind, RegExp])[] = [
  ['refund', /seen my money|get what I paid|of the two sums/],
  ['delivery', /no sign of it|drove past|rung my bell/],
  ['defect', /will not come on|crack|grinding|smoke/],
  ['account', /sign in|have moved|another name/],
  ['advice', /^(?:Which|Can|How often)\b|[.] (?:Which|Can|How often)\b/],
  ['praise', /lovelier|as on the first day|so kind/],
];

function kindsReply(prompt: string, reading: Reading): string | undefined {
  if (!prompt.startsWith('Of which kind is each of these messages?')) return undefined;
  const [, list = ''] = prompt.split('\n=== Messages ===\n');
  const limit = seen(list, reading).length;
  const lines = [...list.matchAll(/^(\d+)\. [^|]+\|[^|]+\| (.*)$/gm)];
  // What it has not looked at it answers all the same.
  return lines
    .map(({ 1: number, 2: text = '', index }) => `${number}: ${index < limit ? kindOf(text) : 'praise'}`)
    .join('\n');
}

export function kindOf(text: string): Kind {
  return SIGNS.find(([, sign]) => sign.test(text))?.[0] ?? 'praise';
}

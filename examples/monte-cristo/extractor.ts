import { wealthEventsIn } from './wealth-events.ts';

/** How the analysis's prompts to the model begin; `prepare.py` writes them. */
const EXTRACTION = /^Extract wealth events from these chapters of a novel/;
const CHAPTER = /^=== Chapter (\d+) ===\n/gm;
/** What the code adds when an answer could not be read. */
const ASKED_AGAIN = 'Answer with the JSON list alone.';

/** Of this chapter's batch the first answer is cut off, as happens with models: the code has to notice. */
const CUT_OFF = 45;

/**
 * The model's answer to a prompt that has chapters in it: JSON, at first with words around it, as models have it.
 * Undefined for other prompts.
 */
export function extractionReply(prompt: string): string | undefined {
  if (!EXTRACTION.test(prompt)) return undefined;
  const parts = prompt.split(CHAPTER).slice(1);
  const chapters = parts.flatMap((number, index) =>
    index % 2 === 0 ? [{ number: Number(number), text: parts[index + 1] ?? '' }] : [],
  );
  const events = chapters.flatMap(({ number, text }) => wealthEventsIn(number, text));
  const json = `[\n${events.map((event) => `  ${JSON.stringify(event)}`).join(',\n')}\n]`;
  if (prompt.includes(ASKED_AGAIN)) return json;
  const isCut = chapters.some(({ number }) => number === CUT_OFF);
  return `Here is what these chapters say:\n\n\`\`\`json\n${isCut ? json.slice(0, json.length * 0.8) : `${json}\n\`\`\``}`;
}

import type { AgentView, SearchHit, Text } from './model.ts';

/** Characters before and after a match. */
const AROUND = 80;
/** Matches shown of one text. */
const MAX_IN_TEXT = 3;

/** Where an agent's texts hold another, which is in lower case. */
export function searchAgent(view: AgentView, run: string, wanted: string): SearchHit[] {
  const hits: SearchHit[] = [];
  const look = (where: SearchHit['where'], text: Text | null, iteration: number | null): void => {
    if (text === null) return;
    for (const found of excerpts(text.text, wanted)) hits.push({ run, agent: view.row.id, iteration, where, ...found });
  };
  look('task', view.task, null);
  for (const { iteration, prose, reasoning, blocks } of view.iterations) {
    look('reply', prose, iteration);
    look('reasoning', reasoning, iteration);
    for (const block of blocks) {
      look('code', block.code, iteration);
      look('output', block.stdout, iteration);
      look('output', block.stderr, iteration);
      look('error', block.error, iteration);
    }
  }
  look('answer', view.answer, null);
  if (view.error !== null) look('error', { text: view.error, length: view.error.length }, null);
  return hits;
}

function excerpts(text: string, wanted: string): Pick<SearchHit, 'excerpt' | 'from' | 'to'>[] {
  const found: Pick<SearchHit, 'excerpt' | 'from' | 'to'>[] = [];
  const lower = text.toLowerCase();
  // Lower case may have another length, for some letters.
  const where = lower.length === text.length ? lower : text;
  for (
    let at = where.indexOf(wanted);
    at >= 0 && found.length < MAX_IN_TEXT;
    at = where.indexOf(wanted, at + wanted.length)
  ) {
    const start = Math.max(0, at - AROUND);
    found.push({
      excerpt: text.slice(start, at + wanted.length + AROUND),
      from: at - start,
      to: at - start + wanted.length,
    });
  }
  return found;
}

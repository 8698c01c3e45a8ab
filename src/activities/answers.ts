import type { Answer } from '../domain/records.ts';
import type { Chains } from '../storage/chain.ts';

/** What the Python function returns for an answer. */
export async function answerValue(chains: Chains, answer: Answer): Promise<unknown> {
  if ('items' in answer) return Promise.all(answer.items.map((item) => answerValue(chains, item)));
  if (!('ref' in answer)) return `Error: ${answer.error}`;
  const value = await chains.getJson(answer.ref);
  return answer.error === undefined ? value : `Error: ${answer.error}. What it had so far:\n${String(value)}`;
}

/** The agents that gave it. */
export function spawnedAgents(answer: Answer): string[] {
  if ('items' in answer) return answer.items.flatMap(spawnedAgents);
  return 'ref' in answer && answer.child !== undefined ? [answer.child] : [];
}

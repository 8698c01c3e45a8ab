import { resultString } from '../domain/prompts/conversation.ts';
import type { Answer } from '../domain/records.ts';
import type { Chains } from '../storage/chain.ts';

/**
 * What the Python function returns for an answer.
 *
 * @param limit - characters of a sub-agent's answer (`rlm.result_truncation_limit`)
 */
export async function answerValue(chains: Chains, answer: Answer, limit: number): Promise<unknown> {
  if ('items' in answer) return Promise.all(answer.items.map((item) => answerValue(chains, item, limit)));
  if (!('ref' in answer)) return `Error: ${answer.error}`;
  const whole = await chains.getJson(answer.ref);
  const value = answer.child === undefined ? whole : resultString(whole, limit).result;
  return answer.error === undefined ? value : `Error: ${answer.error}. What it had so far:\n${String(value)}`;
}

/** The agents that gave it. */
export function spawnedAgents(answer: Answer): string[] {
  if ('items' in answer) return answer.items.flatMap(spawnedAgents);
  return 'ref' in answer && answer.child !== undefined ? [answer.child] : [];
}

import type { CallAnswer } from '../domain/kernel-protocol.ts';
import { reportOf, type Report } from '../domain/prompts/conversation.ts';
import { answerUsage, type Answer, type AnswerList } from '../domain/records.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import type { Chains } from '../storage/chain.ts';

/** Bytes of whole reports that go with the cut ones of one call: what FINAL takes fits. */
const WHOLE_SIZE = 64 * 1024 * 1024;

/**
 * What the Python function of a call returns for its answer. The same answer gives the same again.
 *
 * @param limit - characters of a sub-agent's answer (`rlm.result_truncation_limit`)
 */
export async function answerOfCall(
  chains: Chains,
  { call, answer, limit }: { readonly call: string; readonly answer: Answer; readonly limit: number },
): Promise<CallAnswer> {
  if (!('items' in answer)) {
    const only = await readAnswer(chains, answer, limit);
    return { call, value: only.shown, ...wholeOf([only]) };
  }
  const items = (await Promise.all(answer.items.map((item) => expand(chains, item)))).flat();
  const all = await Promise.all(items.map((item) => readAnswer(chains, item, limit)));
  return { call, value: all.map(({ shown }) => shown), ...wholeOf(all) };
}

/** The answers that one item of a batch stands for. */
async function expand(chains: Pick<Chains, 'getJson'>, item: Answer): Promise<readonly Answer[]> {
  if ('list' in item) return (await chains.getJson(item.list)) as readonly Answer[];
  if (!('error' in item) || 'ref' in item || item.count === undefined) return [item];
  const { count, error } = item;
  return Array.from({ length: count }, () => ({ error }));
}

/** Answers as one that travels in histories whatever their number and size. */
export async function storedAnswers(chains: Pick<Chains, 'putJson'>, answers: readonly Answer[]): Promise<AnswerList> {
  const children = answers.flatMap(spawnedAgents);
  return {
    list: await chains.putJson(answers),
    count: answers.length,
    usage: addUsage(NO_USAGE, ...answers.map(answerUsage)),
    ...(children.length === 0 ? {} : { children }),
  };
}

type Given = Omit<Report, 'shown'> & { readonly shown: unknown };

async function readAnswer(chains: Chains, answer: Answer, limit: number): Promise<Given> {
  if ('items' in answer || 'list' in answer) throw new Error('An answer is a list of answers, not of lists.');
  if (!('ref' in answer)) return { shown: `Error: ${answer.error}` };
  const stored = await chains.getJson(answer.ref);
  const { shown, whole }: Given = answer.child === undefined ? { shown: stored } : reportOf(stored, limit);
  if (answer.error === undefined) return whole === undefined ? { shown } : { shown, whole };
  const before = `Error: ${answer.error}. What it had so far:\n`;
  return { shown: before + String(shown), ...(whole === undefined ? {} : { whole: before + whole }) };
}

function wholeOf(reports: readonly Given[]): Pick<CallAnswer, 'whole'> {
  let left = WHOLE_SIZE;
  const sent = reports.flatMap(({ whole }, place): (readonly [number, string | null])[] => {
    if (whole === undefined) return [];
    const size = Buffer.byteLength(JSON.stringify(whole));
    if (size > left) return [[place, null]];
    left -= size;
    return [[place, whole]];
  });
  return sent.length === 0 ? {} : { whole: Object.fromEntries(sent) };
}

/** The agents that gave it. */
export function spawnedAgents(answer: Answer): string[] {
  if ('items' in answer) return answer.items.flatMap(spawnedAgents);
  if ('list' in answer) return [...(answer.children ?? [])];
  return 'ref' in answer && answer.child !== undefined ? [answer.child] : [];
}

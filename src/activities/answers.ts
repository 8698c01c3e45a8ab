import type { CallAnswer, ReportDetails } from '../domain/kernel-protocol.ts';
import { expandAnswer } from '../domain/expand-answer.ts';
import { reportOf } from '../domain/prompts/conversation.ts';
import { answerUsage, type Answer, type AnswerList, type SubAgentAnswer } from '../domain/records.ts';
import { addUsage, NO_USAGE } from '../domain/usage.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Chains } from '../storage/chain.ts';
import type { ActivityDependencies } from './dependencies.ts';

/** Bytes that go with the reports of one call besides their text: what FINAL takes fits. */
const DETAILS_SIZE = 64 * 1024 * 1024;

type Deps = Pick<ActivityDependencies, 'blobs' | 'chains'>;

/**
 * What the Python function of a call returns for its answer. The same answer gives the same again.
 *
 * @param limit - characters of a sub-agent's answer (`rlm.result_truncation_limit`)
 */
export async function answerOfCall(
  deps: Deps,
  { call, answer, limit }: { readonly call: string; readonly answer: Answer; readonly limit: number },
): Promise<CallAnswer> {
  const isList = 'items' in answer;
  const items = isList
    ? (await Promise.all(answer.items.map((item) => expandAnswer(deps.chains, item)))).flat()
    : [answer];
  const all = await Promise.all(items.map((item) => readAnswer(deps.chains, item, limit)));
  const reports = await reportDetails(deps.blobs, all);
  const shown = all.map((each) => each.shown);
  return { call, value: isList ? shown : shown[0], ...(reports === undefined ? {} : { reports }) };
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

interface Given {
  readonly shown: unknown;
  readonly whole?: string;
  readonly agent?: SubAgentAnswer;
}

async function readAnswer(chains: Chains, answer: Answer, limit: number): Promise<Given> {
  if ('items' in answer || 'list' in answer) throw new Error('An answer is a list of answers, not of lists.');
  if (!('ref' in answer)) return { shown: `Error: ${answer.error}` };
  const stored = await chains.getJson(answer.ref);
  const isReport = 'child' in answer;
  const report = isReport ? reportOf(stored, limit) : { shown: stored };
  const before = answer.error === undefined ? undefined : `Error: ${answer.error}. What it had so far:\n`;
  return {
    shown: before === undefined ? report.shown : before + String(report.shown),
    ...('whole' in report && report.whole !== undefined ? { whole: (before ?? '') + report.whole } : {}),
    ...(isReport ? { agent: answer } : {}),
  };
}

/** By the places of the reports. What does not fit any more is null. */
async function reportDetails(
  blobs: Pick<BlobStore, 'get'>,
  answers: readonly Given[],
): Promise<Record<number, ReportDetails> | undefined> {
  let left = DETAILS_SIZE;
  const fitting = (text: string): string | null => {
    const size = Buffer.byteLength(JSON.stringify(text));
    if (size > left) return null;
    left -= size;
    return text;
  };
  const details: Record<number, ReportDetails> = {};
  for (const [place, { whole, agent }] of answers.entries()) {
    if (agent === undefined) continue;
    const { patch, spent: usage } = agent;
    details[place] = {
      usage,
      ...(whole === undefined ? {} : { whole: fitting(whole) }),
      // oxlint-disable-next-line no-await-in-loop -- patches may be large: one after another
      ...(patch === undefined ? {} : { patch: fitting(Buffer.from(await blobs.get(patch)).toString('base64')) }),
    };
  }
  return Object.keys(details).length === 0 ? undefined : details;
}

/** The agents that gave it. */
export function spawnedAgents(answer: Answer): string[] {
  if ('items' in answer) return answer.items.flatMap(spawnedAgents);
  if ('list' in answer) return [...(answer.children ?? [])];
  return 'child' in answer ? [answer.child] : [];
}

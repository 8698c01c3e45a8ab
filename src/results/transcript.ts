import type { Answer, CallRequest, ChainRecord, PendingCall } from '../domain/records.ts';
import { stringifyJson } from '../domain/ordered-json.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { createChains, type Chains } from '../storage/chain.ts';
import { describeOrigin } from './describe-origin.ts';
import { answerText } from './export-agent.ts';
import { readReply } from './read-reply.ts';
import type { AgentTrajectory } from './run-reader.ts';

/**
 * What an agent was told, thought, wrote, asked and saw, as Markdown: whole, in the order in which it happened.
 *
 * @param trajectory - as it stands: of an agent at work, what there is so far
 */
export async function renderTranscript(
  blobs: BlobStore,
  { reference, records, answer }: AgentTrajectory,
): Promise<string> {
  const chains = createChains(blobs, { cacheCharacters: 0 });
  const calls = new Map<string, PendingCall>();
  const parts = [`# Agent ${reference.agent} (${reference.status ?? reference.state})`];
  for (const record of records) {
    if (record.kind === 'calls') for (const call of record.calls) calls.set(call.call, call);
    parts.push(...(await partsOf(chains, record, calls)));
  }
  if (answer !== undefined) parts.push('## Answer', answerText(answer));
  return `${parts.filter((part) => part.trim() !== '').join('\n\n')}\n`;
}

async function partsOf(
  chains: Chains,
  record: ChainRecord,
  calls: ReadonlyMap<string, PendingCall>,
): Promise<string[]> {
  switch (record.kind) {
    case 'task':
      return ['## Task', record.task];
    case 'reply': {
      const title = record.purpose === 'turn' ? `Iteration ${record.iteration}` : 'Final answer';
      const { prose, code, notRun } = readReply(record);
      return [
        `## ${title} (${record.model}, ${record.execution_time.toFixed(1)} s)`,
        quoted(record.reasoning ?? ''),
        prose,
        ...code.map((block) => fenced('python', block)),
        notRun === null ? '' : `(${notRun})`,
      ];
    }
    case 'answers':
      return (
        await Promise.all(record.answers.map(({ call, answer }) => callParts(chains, calls.get(call), answer)))
      ).flat();
    case 'block': {
      const { stdout, stderr, error } = record.result;
      const outputs = [
        ['Output', stdout],
        ['Standard error', stderr],
        ['Error', error ?? ''],
      ] as const;
      return outputs.flatMap(([name, text]) => (text.trim() === '' ? [] : [`${name}:`, fenced('', text)]));
    }
    case 'steer':
      return ['A message from a person:', quoted(record.message)];
    case 'fork': {
      const message = record.message === null ? [] : ['A message from a person:', quoted(record.message)];
      return [`## ${capitalized(describeOrigin({ ...record.from, iteration: record.iteration - 1 }))}`, ...message];
    }
    case 'summary':
      return [`## Summary in place of iterations 1 to ${record.through}`, record.text];
    case 'rebuild':
      return record.note === '' ? [] : [`(${record.note})`];
    case 'end':
      return [
        ...(record.error === null ? [] : [`Error: ${record.error}`]),
        ...record.notes.map((note) => `Note: ${note}`),
      ];
    default:
      return [];
  }
}

/** A call of the code, each prompt or task with its answer. */
async function callParts(chains: Chains, call: PendingCall | undefined, answer: Answer): Promise<string[]> {
  if (call === undefined) return [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
  const request = (await chains.getJson(call.request)) as CallRequest;
  const asked = request.list.length > 0 ? request.list : [stringifyJson(request.arguments ?? {})];
  const answers = 'items' in answer ? answer.items : [answer];
  const texts = await Promise.all(answers.map((each) => textOf(chains, each)));
  return asked.flatMap((prompt, at) => {
    const each = answers[at];
    const child = each !== undefined && 'child' in each && each.child !== undefined ? ` (agent ${each.child})` : '';
    return [`Call of ${request.function}${child}:`, quoted(prompt), 'Its answer:', quoted(texts[at] ?? '')];
  });
}

async function textOf(chains: Chains, answer: Answer): Promise<string> {
  if ('items' in answer) return '';
  if ('error' in answer && answer.error !== undefined) return answer.error;
  return 'ref' in answer ? answerText(await chains.getJson(answer.ref)) : '';
}

function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function quoted(text: string): string {
  return text.trim() === '' ? '' : text.trimEnd().replaceAll(/^/gm, '> ');
}

/** Longer than any fence in the text, so that the text cannot end it. */
function fenced(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}

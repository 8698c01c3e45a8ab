import { expandAnswer } from '../domain/expand-answer.ts';
import { TypedError } from '../domain/failures.ts';
import { parentAgent } from '../domain/ids.ts';
import { renderConversation } from '../domain/prompts/conversation.ts';
import type { AgentReference, Answer, CallRequest, ChainRecord, RunSpecification } from '../domain/records.ts';
import { answerText } from '../results/export-agent.ts';
import type { RunSnapshot } from '../results/run-snapshot.ts';
import type { Chains } from '../storage/chain.ts';
import { knownRecords, lostSentence, readable, type KnownRecords, type Readable } from './lost.ts';
import type { AgentView, CallDetails, RequestView } from './model.ts';
import { answeringAgent, answerItems, readAgent, readParent } from './read-agent.ts';
import { childrenOf } from './read-findings.ts';
import { compareRequests } from './read-request.ts';
import type { RunSource } from './run-source.ts';
import { wholeText } from './text.ts';

/** A run as it was found. */
export interface OpenRun {
  readonly snapshot: RunSnapshot;
  readonly specification: Readable<RunSpecification>;
}

interface AgentRecords extends KnownRecords {
  readonly reference: AgentReference;
}

/** Agents that are read at the same time. */
const READ_AHEAD = 16;

/** Reads what agents did. @param open finds a run; undefined where there is none */
export function createTrajectories(
  chains: Chains,
  open: (run: string) => Promise<OpenRun | undefined>,
): Pick<RunSource, 'agent' | 'agents' | 'call' | 'request'> {
  async function recordsOf(run: string, agent: string): Promise<(OpenRun & AgentRecords) | undefined> {
    const found = await open(run);
    const reference = found?.snapshot.agents.find((each) => each.agent === agent);
    if (found === undefined || reference === undefined) return undefined;
    return { ...found, reference, ...(await knownRecords(chains, reference.head)) };
  }

  async function plainAgent(run: string, agent: string): Promise<AgentView | undefined> {
    const found = await recordsOf(run, agent);
    if (found === undefined) return undefined;
    const children = childrenOf(found.snapshot.agents.map((each) => ({ id: each.agent }))).get(agent) ?? [];
    return viewOf(found, children);
  }

  async function viewOf({ reference, records, lost }: AgentRecords, children: readonly string[]): Promise<AgentView> {
    const end = records.at(-1);
    const ref = end?.kind === 'end' ? end.answer_ref : null;
    const answer = ref === null ? { value: undefined } : await readable('Its answer', chains.getJson(ref));
    const view = readAgent({
      reference,
      records,
      answer: 'value' in answer ? answer.value : undefined,
      children,
      now: Date.now(),
    });
    const missing = [
      ...(lost === undefined ? [] : [lostSentence(lostPart(view), lost)]),
      ...('lost' in answer ? [answer.lost] : []),
    ];
    return { ...view, missing };
  }

  /** What the code of its parent was given for it. */
  async function answerToParent(run: string, parent: string, child: string): Promise<Answer | undefined> {
    const found = await recordsOf(run, parent);
    for (const record of found?.records ?? []) {
      if (record.kind !== 'answers') continue;
      for (const { answer } of record.answers) {
        // oxlint-disable-next-line no-await-in-loop -- in their order, until it is found
        const item = (await allAnswers(answer)).find((each) => answeringAgent(each) === child);
        if (item !== undefined) return item;
      }
    }
    return undefined;
  }

  /** The answers of a call, those of a batch one by one. What is missing in the blob store is an answer that says so. */
  async function allAnswers(answer: Answer): Promise<readonly Answer[]> {
    const expand = async (item: Answer): Promise<readonly Answer[]> => {
      const read = await readable('This answer', expandAnswer(chains, item));
      if ('value' in read) return read.value;
      return Array.from({ length: 'count' in item ? (item.count ?? 1) : 1 }, () => ({ error: read.lost }));
    };
    return (await Promise.all(answerItems(answer).map(expand))).flat();
  }

  async function parentView(run: string, child: string): Promise<AgentView['parent']> {
    const parent = parentAgent(child);
    const parentAgentView = parent === undefined ? undefined : await plainAgent(run, parent);
    const asked = parentAgentView === undefined ? null : readParent(parentAgentView, child);
    if (asked === null || parent === undefined) return null;
    const answer = await answerToParent(run, parent, child);
    if (answer === undefined || 'items' in answer || 'list' in answer) return asked;
    const error = 'error' in answer ? answer.error : undefined;
    const ref = 'ref' in answer ? answer.ref : undefined;
    const text = ref === undefined ? (error ?? '') : await textOf('This answer', ref);
    const whole = error === undefined || ref === undefined ? text : `Error: ${error}\n\n${text}`;
    return { ...asked, answer: wholeText(ref === undefined ? `Error: ${whole}` : whole), isError: error !== undefined };
  }

  async function textOf(what: string, ref: string): Promise<string> {
    const read = await readable(what, chains.getJson(ref));
    return 'value' in read ? answerText(read.value) : `(${read.lost})`;
  }

  return {
    async agent(run, agent) {
      const plain = await plainAgent(run, agent);
      return plain === undefined ? undefined : { ...plain, parent: await parentView(run, agent) };
    },

    async *agents(run, from = 0) {
      const wanted = (await open(run))?.snapshot.agents.slice(from) ?? [];
      const read = async (reference: AgentReference): Promise<AgentView> =>
        viewOf({ reference, ...(await knownRecords(chains, reference.head)) }, []);
      // Some are read ahead: each record names the one to read next, so one agent by itself waits for the disk.
      const ahead: Promise<AgentView>[] = [];
      for (let next = 0; next < wanted.length || ahead.length > 0; next += 1) {
        const following = wanted[next];
        if (following !== undefined) {
          const reading = read(following);
          // One that nobody takes any more must not end the process.
          reading.catch(() => undefined);
          ahead.push(reading);
        }
        if (ahead.length < READ_AHEAD && next < wanted.length - 1) continue;
        const first = ahead.shift();
        // oxlint-disable-next-line no-await-in-loop -- in their order
        if (first !== undefined) yield await first;
      }
    },

    async call(run, { agent, call, first, limit }) {
      const found = await recordsOf(run, agent);
      const { records = [] } = found ?? {};
      const pending = records
        .flatMap((record) => (record.kind === 'calls' ? record.calls : []))
        .find((each) => each.call === call);
      if (pending === undefined) return undefined;
      const answered = records
        .flatMap((record) => (record.kind === 'answers' ? record.answers : []))
        .find((each) => each.call === call)?.answer;
      const answers = answered === undefined ? [] : await allAnswers(answered);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by activities only
      const request = await readable('What was asked', chains.getJson(pending.request) as Promise<CallRequest>);
      const count = pending.batch ?? Math.max(1, answers.length);
      const list = 'value' in request ? askedTexts(request.value) : Array.from({ length: count }, () => request.lost);
      const items = await Promise.all(
        list.slice(first, first + limit).map(async (text, index) => callItem(text, answers[first + index])),
      );
      return { call, function: pending.function, count: list.length, first, items };
    },

    async request(run, { agent, index }) {
      const found = await recordsOf(run, agent);
      if (found === undefined) return undefined;
      const { records, specification, lost } = found;
      if (lost !== undefined) throw new TypedError('Storage.Missing', lostSentence('The request', lost));
      if ('lost' in specification) throw new TypedError('Storage.Missing', specification.lost);
      return renderRequest(records, specification.value, index);
    },
  };

  async function callItem(asked: string, answer: Answer | undefined): Promise<CallDetails['items'][number]> {
    const ref = answer !== undefined && 'ref' in answer ? answer.ref : undefined;
    return {
      asked: wholeText(asked),
      answer: ref === undefined ? null : wholeText(await textOf('This answer', ref)),
      error: answer !== undefined && 'error' in answer ? (answer.error ?? null) : null,
      child: answer === undefined ? null : (answeringAgent(answer) ?? null),
      usage:
        answer !== undefined && 'usage' in answer && answer.usage !== undefined
          ? { ...answer.usage, llm_calls: 1 }
          : null,
    };
  }
}

function askedTexts(request: CallRequest): readonly string[] {
  return request.arguments === undefined ? request.list : [JSON.stringify(request.arguments, null, 2)];
}

/** What is out of reach of an agent whose trajectory has a hole. */
function lostPart({ iterations: [first] }: AgentView): string {
  if (first === undefined) return 'What it did';
  return first.iteration > 1 ? `What it did before iteration ${first.iteration}` : 'All of its task';
}

/** The requests of a reply and of the one before it, rendered from the records that each had before it. */
function renderRequest(
  records: readonly ChainRecord[],
  specification: RunSpecification,
  index: number,
): RequestView | undefined {
  const replies = records.flatMap((record, at) => (record.kind === 'reply' ? [{ at, purpose: record.purpose }] : []));
  const [before, wanted] = [replies[index - 1], replies[index]];
  if (wanted === undefined) return undefined;
  const render = ({ at, purpose }: (typeof replies)[number]): ReturnType<typeof renderConversation> =>
    renderConversation(records.slice(0, at), specification, purpose);
  return compareRequests(before === undefined ? [] : render(before), render(wanted));
}

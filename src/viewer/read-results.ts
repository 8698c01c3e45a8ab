import { proseOf } from '../domain/reply.ts';
import { addUsage, NO_USAGE, type Usage } from '../domain/usage.ts';
import { answerText } from '../results/export-agent.ts';
import type { AgentRow, AgentView, BlockView, IterationView, RunStatus, RunView } from './model.ts';
import { readParent } from './read-agent.ts';
import { treeFindings } from './read-findings.ts';
import { noPatch } from './run-parts.ts';
import { hasEnded } from './run-status.ts';
import type { ResultsAgent, ResultsFile } from './results-schema.ts';
import { head, wholeText } from './text.ts';

type UsageIn = { input_tokens: number; output_tokens: number; cost: number; llm_calls?: number | undefined };

export interface ReadResults {
  readonly view: RunView;
  /** Parents before children. */
  readonly agents: readonly AgentView[];
}

/** A results file as the page shows it: ours, or the reference's, whose agents may have names of any kind. */
export function readResults(file: ResultsFile): ReadResults {
  const found: { id: string; agent: ResultsAgent; children: string[] }[] = [];
  const collect = (agent: ResultsAgent, id: string): void => {
    const children = agent.spawned_agents.map((_, index) => `${id}.${index + 1}`);
    found.push({ id, agent, children });
    for (const [index, child] of agent.spawned_agents.entries()) collect(child, children[index] ?? id);
  };
  if (file.root_agent !== null) collect(file.root_agent, '0');
  // A name of the file's own leads to the place in the tree that the page knows it by.
  const ids = new Map(found.map(({ id, agent }) => [agent.agent_id, id]));
  const plain = found.map(({ id, agent, children }) => readAgent(agent, { id, children, ids }));
  const byId = new Map(plain.map((view) => [view.row.id, view]));
  const answers = new Map(plain.map((view) => [view.row.id, view.answer]));
  const agents = plain.map((view) => {
    const { id } = view.row;
    const parent = byId.get(id.slice(0, id.lastIndexOf('.')));
    const asked = parent === undefined || id === '0' ? null : readParent(parent, id);
    const answer = view.error === null ? (answers.get(id) ?? null) : wholeText(`Error: ${view.error}`);
    return asked === null ? view : { ...view, parent: { ...asked, answer, isError: view.error !== null } };
  });
  return { view: runView(file, agents), agents };
}

function runView(file: ResultsFile, agents: readonly AgentView[]): RunView {
  const rows = agents.map(({ row }) => row);
  const root = file.root_agent;
  const answer = file.answer ?? (file.status === undefined ? root?.result : undefined) ?? null;
  const notes = file.notes ?? [];
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  return {
    run: file.run_id,
    type: file.inputs === undefined && file.repository === null ? 'analyze' : 'investigate',
    status: statusOf(file, rows),
    reason: file.error ?? root?.error ?? null,
    prompt: wholeText(file.prompt ?? root?.task ?? ''),
    repository:
      file.repository === null || file.repository === undefined
        ? null
        : { ...file.repository, branch: file.repository.branch ?? null },
    signature: null,
    inputs: Object.entries(file.inputs ?? {}).map(([name, files]) => ({ name, files })),
    schedule: null,
    from: null,
    config: null,
    answer:
      answer === null ? null : { text, length: text.length, ...(typeof answer === 'string' ? {} : { value: answer }) },
    answer_source: root?.source ?? null,
    notes,
    patch: patchOf(file)?.length ?? null,
    // The reference's files do not tell how a run ended.
    no_patch: noPatch({
      type: file.repository === null || file.repository === undefined ? null : 'investigate',
      hasEnded: hasEnded(statusOf(file, rows)),
      isTaken: patchOf(file) !== undefined,
      notes,
      agents: rows,
    }),
    agents: rows,
    totals: {
      agents: rows.length,
      done: rows.filter(({ status }) => status !== 'running').length,
      max_depth: Math.max(0, ...rows.map(({ depth }) => depth)),
      iterations: rows.reduce((sum, { iteration }) => sum + iteration, 0),
      sandboxes: agents.filter(({ sandbox }) => sandbox !== null).length,
      usage: rows.reduce((sum, { usage }) => addUsage(sum, usage), NO_USAGE),
    },
    started_at: file.started_at ?? null,
    ended_at: file.ended_at ?? null,
    execution_time: root?.execution_time ?? 0,
    findings: [...treeFindings(rows), ...notes.map((note) => ({ kind: 'note' as const, text: note, agents: [] }))],
    missing: [],
    questions: [],
    controls: [],
    uncontrollable: null,
  };
}

const STATUSES: readonly string[] = ['completed', 'timed_out', 'cancelled', 'failed', 'running', 'paused'];

/** The reference does not say: a root that failed has an error. */
function statusOf({ status, root_agent }: ResultsFile, [root]: readonly AgentRow[]): RunStatus {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is one of them
  if (status !== undefined) return STATUSES.includes(status) ? (status as RunStatus) : 'unknown';
  return root_agent === null ? 'unknown' : root?.status === 'failed' ? 'failed' : 'completed';
}

export function patchOf({ patch, patch_base64 }: ResultsFile): Buffer | undefined {
  if (patch_base64 !== undefined) return Buffer.from(patch_base64, 'base64');
  return patch === null || patch === undefined || patch === '' ? undefined : Buffer.from(patch, 'utf8');
}

interface Place {
  readonly id: string;
  readonly children: readonly string[];
  /** Of agents, by the names that the file gives them. */
  readonly ids: ReadonlyMap<string, string>;
}

function readAgent(agent: ResultsAgent, { id, children, ids }: Place): AgentView {
  const error = agent.error ?? null;
  const result = agent.result ?? null;
  const iterations = agent.iterations.map((each, index) => readIteration(each, { index, ids }));
  const below = agent.spawned_agents.reduce((sum, child) => addUsage(sum, usageOf(child.usage)), NO_USAGE);
  const row: AgentRow = {
    id,
    depth: agent.depth,
    task: head(agent.task ?? '', 300),
    state: agent.status === 'running' ? 'running' : 'done',
    status: agent.status ?? (error === null ? 'completed' : 'failed'),
    iteration: iterations.length,
    usage: agent.own_usage === undefined ? difference(usageOf(agent.usage), below) : usageOf(agent.own_usage),
    started_at: agent.started_at ?? null,
    ended_at: agent.ended_at ?? null,
    execution_time: agent.execution_time ?? 0,
    error: error === null ? null : head(error, 300),
    source: agent.source ?? null,
    version: '',
  };
  return {
    row,
    task: wholeText(agent.task ?? ''),
    variables: [],
    sandbox: agent.sandbox_id ?? null,
    answer: result === null ? null : wholeText(answerText(result)),
    error,
    notes: agent.notes ?? [],
    missing: [],
    iterations,
    first: 0,
    count: iterations.length,
    children,
    parent: null,
  };
}

function readIteration(
  each: ResultsAgent['iterations'][number],
  { index, ids }: { readonly index: number; readonly ids: ReadonlyMap<string, string> },
): IterationView {
  const spawned = each.spawned_agents.flatMap(({ agent_id }) => ids.get(agent_id) ?? []);
  const purpose = each.purpose ?? 'turn';
  return {
    index,
    // The reference counts from 0.
    iteration: each.iteration + (each.model_time === undefined && each.purpose === undefined ? 1 : 0),
    purpose,
    model: each.model ?? '',
    finish_reason: each.finish_reason ?? '',
    prompt: wholeText(typeof each.prompt === 'string' ? each.prompt : JSON.stringify(each.prompt ?? '', null, 2)),
    reasoning: each.reasoning === null || each.reasoning === undefined ? null : wholeText(each.reasoning),
    prose: wholeText(purpose === 'turn' ? proseOf(each.raw_response) : each.raw_response),
    reply: wholeText(each.raw_response),
    request: null,
    usage: usageOf(each.usage),
    model_time: each.model_time ?? 0,
    not_run: null,
    blocks: each.parsed_code_blocks.map((block, at): BlockView => {
      const error = block.error ?? null;
      return {
        block: at + 1,
        code: wholeText(block.code),
        status: block.status ?? (error === null ? 'ok' : 'error'),
        stdout: wholeText(block.stdout ?? ''),
        stderr: wholeText(block.stderr ?? ''),
        error: error === null ? null : wholeText(error),
        execution_time: block.execution_time ?? 0,
        final: false,
        calls: [],
        // The file says which iteration started them, not which block: the last is as good as any.
        spawned: at === each.parsed_code_blocks.length - 1 ? spawned : [],
      };
    }),
    events: [],
  };
}

function usageOf(usage: UsageIn | null | undefined): Usage {
  return usage === null || usage === undefined ? NO_USAGE : { ...usage, llm_calls: usage.llm_calls ?? 0 };
}

/** What is left of a sum over a tree without the parts below; the reference gives only sums. */
function difference(sum: Usage, part: Usage): Usage {
  return {
    input_tokens: Math.max(0, sum.input_tokens - part.input_tokens),
    output_tokens: Math.max(0, sum.output_tokens - part.output_tokens),
    cost: Math.max(0, Math.round((sum.cost - part.cost) * 1e9) / 1e9),
    llm_calls: Math.max(0, sum.llm_calls - part.llm_calls),
  };
}

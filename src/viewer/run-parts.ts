import type { RunSpecification } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import { whyNoPatch } from '../results/why-no-patch.ts';
import type { AgentRow, Control, QuestionView, RunStatus, RunSummary, RunView } from './model.ts';
import { hasEnded } from './run-status.ts';
import type { LiveRun, Standing } from './standings.ts';
import { head, wholeText } from './text.ts';

export function repositoryOf(specification: RunSpecification | undefined): RunView['repository'] {
  const repository = specification?.repository;
  if (repository === undefined) return null;
  return { name: repository.name, commit: repository.commit, branch: repository.branch ?? null };
}

/** @param isTaken its patch is there, or was and is missing */
export function noPatch(run: {
  readonly type: RunView['type'];
  readonly hasEnded: boolean;
  readonly isTaken: boolean;
  readonly notes: readonly string[];
  readonly agents: readonly AgentRow[];
}): RunView['no_patch'] {
  if (run.type !== 'investigate' || !run.hasEnded || run.isTaken) return null;
  const isCutOff = run.agents[0]?.status === 'running';
  const reason = isCutOff ? 'There is no patch: the root agent was stopped before its changes could be taken.' : null;
  return { reason: whyNoPatch(run.notes) ?? reason };
}

/** Characters of an answer that travel with its run. */
const ANSWER_CHARACTERS = 200_000;

export function answerView(answer: unknown): NonNullable<RunView['answer']> {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  const fits = text.length <= ANSWER_CHARACTERS;
  return {
    text: head(text, ANSWER_CHARACTERS),
    length: text.length,
    ...(fits && typeof answer !== 'string' ? { value: answer } : {}),
  };
}

/** What a run can be told as it stands. */
export function controlsOf(
  status: RunStatus,
  stands: Standing,
  { rows, config }: { readonly rows: readonly AgentRow[]; readonly config: RunSpecification['config'] | undefined },
): readonly Control[] {
  const isRetried = hasEnded(status) ? status !== 'completed' : stands.kind === 'gone';
  if (hasEnded(status) || stands.kind === 'gone') return isRetried ? ['retry', 'fork'] : ['fork'];
  if (status === 'finishing') return ['fork'];
  const heard: readonly Control[] = rows.some((row) => row.status === 'running') ? ['steer'] : [];
  const limits: readonly Control[] = config !== undefined && config.rlm.max_sandboxes > 0 ? ['budget'] : [];
  return [status === 'paused' ? 'resume' : 'pause', ...heard, ...limits, 'cancel', 'fork'];
}

/** Why nothing can be done at present. */
export function uncontrollable(stands: Standing): string | null {
  return stands.kind === 'unreachable' ? 'No Temporal server can be reached from here: rlm up starts one.' : null;
}

/** What a run that was asked begins with, where its specification is there no more. */
export const LOST_PROMPT = '(what was asked is missing in the blob store)';

export function questionsOf(stands: Standing): readonly QuestionView[] {
  if (stands.kind !== 'known') return [];
  return stands.questions.map(({ id, agent, step, text }) => ({ id, agent, step, text }));
}

/** A line of the list for a run that nobody has begun. */
export function unbegun({
  run,
  status,
  startedAt,
  schedule = null,
}: Pick<LiveRun, 'status' | 'startedAt'> & {
  readonly run: string;
  readonly schedule?: string | null;
}): RunSummary {
  return {
    run,
    type: null,
    status,
    prompt: '',
    repository: null,
    model: null,
    schedule,
    agents: 0,
    max_depth: 0,
    iterations: 0,
    usage: NO_USAGE,
    started_at: startedAt,
    execution_time: (Date.now() - startedAt) / 1000,
  };
}

/** Of a run that Temporal knows and that has stored nothing. */
export function viewUnstored(run: string, known: LiveRun | undefined): RunView | undefined {
  if (known === undefined) return undefined;
  const { status, reason, schedule = null } = known;
  return {
    run,
    type: null,
    status,
    reason,
    prompt: wholeText(''),
    repository: null,
    signature: null,
    inputs: [],
    schedule,
    from: null,
    config: null,
    answer: null,
    answer_source: null,
    notes: [],
    patch: null,
    no_patch: null,
    agents: [],
    totals: { agents: 0, done: 0, max_depth: 0, iterations: 0, sandboxes: 0, usage: NO_USAGE },
    started_at: null,
    ended_at: null,
    execution_time: 0,
    findings: [],
    missing: [],
    questions: [],
    controls: hasEnded(status) ? [] : [status === 'paused' ? 'resume' : 'pause', 'cancel'],
    uncontrollable: null,
  };
}

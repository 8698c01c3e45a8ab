import type { RunSpecification } from '../domain/records.ts';
import { NO_USAGE } from '../domain/usage.ts';
import type { Control, RunStatus, RunSummary, RunView } from './model.ts';
import { hasEnded } from './run-status.ts';
import type { Standing } from './standings.ts';
import { head, wholeText } from './text.ts';

export function repositoryOf({ repository }: RunSpecification): RunView['repository'] {
  if (repository === undefined) return null;
  return { name: repository.name, commit: repository.commit, branch: repository.branch ?? null };
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

export function controlsOf(status: RunStatus, { config }: Pick<RunSpecification, 'config'>): readonly Control[] {
  if (hasEnded(status) || status === 'finishing') return [];
  const limits: readonly Control[] = config.rlm.max_sandboxes > 0 ? ['budget'] : [];
  return [status === 'paused' ? 'resume' : 'pause', ...limits, 'cancel'];
}

/** A line of the list for a run that nobody has begun. */
export function unbegun(run: string, status: RunStatus, startedAt: number): RunSummary {
  return {
    run,
    type: null,
    status,
    prompt: '',
    repository: null,
    model: null,
    agents: 0,
    max_depth: 0,
    iterations: 0,
    usage: NO_USAGE,
    started_at: startedAt,
    execution_time: (Date.now() - startedAt) / 1000,
  };
}

/** Of a run that Temporal knows and that has stored nothing. */
export function viewUnstored(run: string, known: Standing | undefined): RunView | undefined {
  if (known === undefined) return undefined;
  return {
    run,
    type: null,
    ...known,
    prompt: wholeText(''),
    repository: null,
    signature: null,
    inputs: [],
    config: null,
    answer: null,
    answer_source: null,
    notes: [],
    patch: null,
    agents: [],
    totals: { agents: 0, done: 0, max_depth: 0, iterations: 0, sandboxes: 0, usage: NO_USAGE },
    started_at: null,
    ended_at: null,
    execution_time: 0,
    findings: [],
    controls: [],
  };
}

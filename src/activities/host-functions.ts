import type { HostFunction } from '../domain/kernel-protocol.ts';
import type { RunSpecification } from '../domain/records.ts';

/** What the code of every agent of a run can call; at the greatest depth `rlm_query` stays, and answers with an error. */
export function hostFunctions(run: RunSpecification): readonly HostFunction[] {
  if (run.type === 'investigate') return [...QUERIES, ...INVESTIGATORS];
  const tools = (run.tools ?? []).map(({ name, parameters, doc }) => ({ name, parameters, doc }));
  return [...QUERIES, ...ANALYSTS, ...tools];
}

const QUERIES: readonly HostFunction[] = [
  {
    name: 'llm_query',
    parameters: [{ name: 'prompt', type: 'str' }],
    doc: 'Asks a language model one question and returns its answer. It sees only the prompt.',
  },
  {
    name: 'llm_query_batched',
    parameters: [{ name: 'prompts', type: 'list[str]' }],
    doc: 'Asks many questions at once; returns the answers in order.',
  },
];

const INVESTIGATORS: readonly HostFunction[] = [
  {
    name: 'rlm_query',
    parameters: [{ name: 'task', type: 'str' }],
    reports: true,
    doc: 'A sub-agent with a clone of its own works on the task; returns its report, a str. Its .full is all of it where it is cut, .patch and .files what was changed (for apply_patch), .usage what was used.',
  },
  {
    name: 'rlm_query_batched',
    parameters: [{ name: 'tasks', type: 'list[str]' }],
    reports: true,
    doc: 'Sub-agents work on the tasks in parallel; returns their reports in order, strs with .full, .patch, .files and .usage.',
  },
];

const ANALYSTS: readonly HostFunction[] = [
  {
    name: 'rlm_query',
    parameters: [{ name: 'task', type: 'str' }],
    variables: 'one',
    reports: true,
    doc: 'A sub-agent with an interpreter of its own works on the task and has the keyword arguments as variables; returns its report, a str whose .full is all of it where it is cut.',
  },
  {
    name: 'rlm_query_batched',
    parameters: [{ name: 'tasks', type: 'list[str]' }],
    variables: 'each',
    reports: true,
    doc: 'Sub-agents work on the tasks in parallel; each keyword argument is a list with one value for each task. Returns their reports in order, strs whose .full is all of those that are cut.',
  },
];

import { activityInfo, ApplicationFailure, CancelledFailure, Context, heartbeat } from '@temporalio/activity';
import { runLimits } from '../../src/domain/budget.ts';
import { DEFAULT_CONFIG, type RlmConfig } from '../../src/domain/config.ts';
import type {
  Activities,
  CallModelInput,
  CallModelResult,
  FinishAgentInput,
  RebuildSandboxInput,
  RebuildSandboxResult,
  RunCodeInput,
  RunCodeResult,
} from '../../src/domain/contract.ts';
import { splitAgentWorkflowId } from '../../src/domain/ids.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import type { Usage } from '../../src/domain/usage.ts';

type Step<Input, Result> = Result | Error | ((input: Input) => Promise<Result> | Result);

/** What the activities of one agent give, in order. One that is called more often fails the run. */
export interface AgentScript {
  readonly callModel: readonly Step<CallModelInput, CallModelResult>[];
  /** A function is called as often as it is asked. */
  readonly runCode?: readonly Step<RunCodeInput, RunCodeResult>[] | ((input: RunCodeInput) => RunCodeResult);
  readonly createSandbox?: Step<unknown, string>;
  readonly rebuildSandbox?: Step<RebuildSandboxInput, RebuildSandboxResult>;
  readonly finishAgent?: Step<FinishAgentInput, object>;
}

export interface FakeRun {
  readonly activities: Activities;
  /** `callModel 0.1 turn`, ...: what was called, in order. */
  readonly called: string[];
  /** Inputs by activity, in the order of the calls. */
  readonly inputs: { [Name in keyof Activities]?: Parameters<Activities[Name]>[0][] };
  /** Steps that nothing asked for. */
  left(): string[];
}

export const USED: Usage = { input_tokens: 10, output_tokens: 1, cost: 0.001, llm_calls: 1 };

/** Activities that are scripted agent by agent; what the run itself needs is answered by itself. */
export function fakeActivities(
  agents: Readonly<Record<string, AgentScript>>,
  limits: Partial<RlmConfig> = {},
  own: Partial<Activities> & { readonly idle_timeout?: number } = {},
): FakeRun {
  const { idle_timeout = 1800, ...replaced } = own;
  const called: string[] = [];
  const inputs: FakeRun['inputs'] = {};
  const taken = new Map<string, number>();

  function note(name: keyof Activities, input: unknown, detail = ''): string {
    const { agent } = splitAgentWorkflowId(activityInfo().workflowExecution?.workflowId ?? '');
    called.push(`${name} ${agent}${detail}`);
    (inputs as Record<string, unknown[]>)[name] = [...((inputs as Record<string, unknown[]>)[name] ?? []), input];
    return agent;
  }

  async function next<Result>(agent: string, name: 'callModel' | 'runCode', input: unknown): Promise<Result> {
    const key = `${agent} ${name}`;
    const at = taken.get(key) ?? 0;
    taken.set(key, at + 1);
    const script = (agents[agent]?.[name] ?? []) as unknown;
    if (typeof script === 'function') return (script as (input: unknown) => Result)(input);
    const steps = script as readonly Step<unknown, Result>[];
    if (at >= steps.length) throw fatal(`${key} was called more often than its ${steps.length} steps`);
    return play(steps[at] as Step<unknown, Result>, input);
  }

  const activities: Activities = {
    prepareInvestigation: async () => ({
      spec: 'spec',
      task: 'task-of-0',
      limits: { ...DEFAULT_CONFIG.rlm, ...limits },
      ceilings: runLimits({ ...DEFAULT_CONFIG.rlm, ...limits }),
      idle_timeout,
      queues: 'shared',
      summary: 'a fake run',
      memo: { repository: 'r', commit: 'c', prompt: 'p' },
      search_attributes: 'all',
      notifies: true,
    }),
    prepareAnalysis: () => Promise.reject(new Error('not scripted')),
    sendNotice: async (input) => {
      inputs.sendNotice = [...(inputs.sendNotice ?? []), input];
    },
    workerAbsence: async () => 0,
    configureRun: async () => {
      throw new Error('nobody changes the configuration here');
    },
    admitBudget: async ({ grant }) => {
      if (grant !== 'of the user') throw failure('Input.NotAllowed', 'not granted');
    },
    recordOutcome: async (input): Promise<RunOutcome> => {
      inputs.recordOutcome = [...(inputs.recordOutcome ?? []), input];
      return input.outcome;
    },
    createSandbox: async (input) => {
      const agent = note('createSandbox', input);
      return play(agents[agent]?.createSandbox ?? `local:0:sandbox-${agent}`, input);
    },
    rebuildSandbox: async (input: RebuildSandboxInput) => {
      const { cause } = input;
      const agent = note('rebuildSandbox', input, ` ${cause.kind}`);
      const given = agents[agent]?.rebuildSandbox;
      if (given !== undefined) return play(given, input);
      const [, generation = '0', name = ''] =
        /^local:(\d+):(.*)$/.exec(cause.kind === 'forked' ? '' : cause.sandbox) ?? [];
      return { kind: 'rebuilt', sandbox: `local:${Number(generation) + 1}:${name}` };
    },
    readAgent: async (input) => {
      note('readAgent', input, ` ${input.agent}`);
      return {
        totals: { usage: USED, agents: 1, depth: 1, iterations: 1, sandboxes: 1, refused: { prompts: 0, tasks: 0 } },
      };
    },
    readProgress: async () => ({
      at: '2026-01-01T00:00:00.000Z',
      agents: 1,
      working: 1,
      iterations: 1,
      llm_calls: 1,
      input_tokens: 10,
      output_tokens: 1,
      cost: 0.001,
      waiting_for: [],
    }),
    locateSandbox: () => Promise.resolve('there'),
    callModel: async (input) => next(note('callModel', input, ` ${input.purpose}`), 'callModel', input),
    runCode: async (input) => next(note('runCode', input), 'runCode', input),
    answerPrompts: async (input) => {
      note('answerPrompts', input);
      const { from, to } = input.range ?? { from: 0, to: 1 };
      return { answers: Array.from({ length: to - from }, (_, at) => ({ ref: `answer-${from + at}` })) };
    },
    storeAnswers: async (input) => {
      note('storeAnswers', input);
      return { list: 'a list', count: input.answers.length, usage: USED };
    },
    callTool: async (input) => {
      note('callTool', input);
      return { answer: { ref: 'tool-answer' } };
    },
    finishAgent: async (input) => {
      const agent = note('finishAgent', input, ` ${input.status} ${input.source}`);
      const given = agents[agent]?.finishAgent;
      return await play(given ?? { answer_ref: `answer-of-${agent}`, answer: 'an answer' }, input);
    },
  };
  return {
    activities: { ...activities, ...replaced },
    called,
    inputs,
    left: () =>
      Object.entries(agents).flatMap(([agent, script]) =>
        (['callModel', 'runCode'] as const).flatMap((name) => {
          const steps = script[name];
          if (typeof steps === 'function') return [];
          const left = (steps?.length ?? 0) - (taken.get(`${agent} ${name}`) ?? 0);
          return left > 0 ? [`${left} of ${agent} ${name}`] : [];
        }),
      ),
  };
}

/** The activities of many runs for one worker; each call goes to those of its run. */
export function activitiesByRun(runs: ReadonlyMap<string, FakeRun>): Activities {
  const names = Object.keys(fakeActivities({}).activities) as (keyof Activities)[];
  const call = (name: keyof Activities) => async (input: unknown) => {
    const id = activityInfo().workflowExecution?.workflowId ?? '';
    const fake = runs.get(id.includes('/') ? splitAgentWorkflowId(id).run : id);
    if (fake === undefined) throw fatal(`nothing is scripted for ${id}`);
    // However long it waits for the test, its worker has not died.
    const beat = setInterval(() => heartbeat(), 1000);
    try {
      return await (fake.activities[name] as (input: unknown) => unknown)(input);
    } finally {
      clearInterval(beat);
    }
  };
  return Object.fromEntries(names.map((name) => [name, call(name)])) as unknown as Activities;
}

async function play<Input, Result>(step: Step<Input, Result>, input: Input): Promise<Result> {
  if (step instanceof Error) throw step;
  return typeof step === 'function' ? (step as (input: Input) => Promise<Result>)(input) : step;
}

function fatal(message: string): Error {
  return failure('Test.Unexpected', message);
}

/** What an activity throws for a failure of this type that is not retried. */
export function failure(type: string, message: string): Error {
  return ApplicationFailure.nonRetryable(message, type);
}

/** Waits until the activity is cancelled. */
export async function untilCancelled(): Promise<never> {
  const beat = setInterval(() => heartbeat(), 200);
  try {
    return await Context.current().cancelled;
  } catch {
    throw new CancelledFailure('cancelled');
  } finally {
    clearInterval(beat);
  }
}

export function code(head: string): CallModelResult {
  return { kind: 'code', head, lines: 1, usage: USED };
}

export function text(head: string, in_a_row: number, empty = false): CallModelResult {
  return { kind: 'text', head, in_a_row, empty, usage: USED };
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RunState } from '../../src/domain/messages.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import type { RunDocument } from '../../src/results/run-document.ts';
import type { Desk } from './command.ts';
import type { World } from './world.ts';

/** A person who starts runs and tells them things, in one way. */
export interface Storyteller {
  start(run: string, task: { readonly prompt: string; readonly maxCost: number }): Promise<void>;
  /** The message has been taken when these return; what follows from it comes later. */
  pause(run: string, reason: string): Promise<void>;
  resume(run: string): Promise<void>;
  steer(run: string, message: string): Promise<void>;
  raiseMaxCost(run: string, usd: number): Promise<void>;
  status(run: string): Promise<Pick<RunState, 'status' | 'reason'>>;
  /** Waits for the end. */
  result(run: string): Promise<Ending>;
  /** @returns the id of the new run */
  continueWith(run: string, prompt: string): Promise<string>;
  fork(run: string, from: { readonly at: number; readonly model: string }): Promise<string>;
}

export interface Ending {
  readonly status: string;
  /** The whole answer. */
  readonly answer: unknown;
  readonly usage: { readonly cost: number; readonly llm_calls: number };
}

/** Where the runs of a story are done. */
export interface Stage {
  readonly world: World;
  readonly desk: Desk;
  readonly taskQueue: string;
}

/** With the command `rlm`, of a person who has no worker. */
export function tellerOfRlm({ world, desk }: Stage): Storyteller {
  const rlm = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await desk.run(args);
    if (code !== 0) throw new Error(`rlm ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout.toString();
  };
  const document = async (...args: string[]): Promise<RunDocument> =>
    JSON.parse(await rlm(...args, '--json')) as RunDocument;
  const away = ['--no-worker', '--detach'];
  return {
    async start(run, { prompt, maxCost }) {
      await rlm('run', world.repository, '-p', prompt, '--id', run, '--max-cost', String(maxCost), ...away);
    },
    async pause(run, reason) {
      await rlm('pause', run, '--reason', reason);
    },
    async resume(run) {
      await rlm('resume', run);
    },
    async steer(run, message) {
      await rlm('steer', run, message);
    },
    async raiseMaxCost(run, usd) {
      await rlm('budget', run, '--max-cost', String(usd));
    },
    async status(run) {
      const { status, error } = await document('status', run);
      return { status: status as RunState['status'], reason: error };
    },
    result: (run) => document('watch', run, '--quiet'),
    continueWith: async (run, prompt) => (await rlm('continue', run, '-p', prompt, ...away)).trim(),
    fork: async (run, { at, model }) => (await rlm('fork', run, '--at', String(at), '--model', model, ...away)).trim(),
  };
}

/** With Temporal's own command line. */
export function tellerOfTemporal({ world, taskQueue }: Stage): Storyteller {
  const env = {
    PATH: process.env['PATH'],
    HOME: world.folder,
    TEMPORAL_ADDRESS: world.server.address,
    TEMPORAL_NAMESPACE: world.server.namespace,
  };
  const temporal = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(world.server.executable, ['workflow', ...args], {
      env,
      maxBuffer: 2 ** 26,
    });
    return stdout;
  };
  const input = (value: object): string[] => ['--input', JSON.stringify(value)];
  const start = async (run: string, value: object): Promise<string> => {
    const of = ['--type', 'investigate', '--task-queue', taskQueue, '--workflow-id', run];
    await temporal('start', ...of, ...input(value));
    return run;
  };
  const update = async (run: string, name: string, value: object = {}): Promise<void> => {
    await temporal('update', 'execute', '--workflow-id', run, '--name', name, ...input(value));
  };
  return {
    async start(run, { prompt, maxCost }) {
      await start(run, { repo: world.repository, prompt, config: { rlm: { max_cost: maxCost } } });
    },
    async pause(run, reason) {
      await temporal('signal', '--workflow-id', run, '--name', 'pause', ...input({ reason }));
    },
    resume: (run) => update(run, 'resume'),
    steer: (run, message) => update(run, 'steer', { message }),
    raiseMaxCost: (run, usd) => update(run, 'setBudget', { max_cost: usd }),
    async status(run) {
      const printed = await temporal('query', '--workflow-id', run, '--name', 'status', '--output', 'json');
      const [state] = (JSON.parse(printed) as { readonly queryResult: readonly RunState[] }).queryResult;
      if (state === undefined) throw new Error(`no status in ${printed}`);
      return state;
    },
    async result(run) {
      const printed = await temporal('result', '--workflow-id', run, '--output', 'json');
      const { result } = JSON.parse(printed) as { readonly result: RunOutcome };
      return { ...result, answer: await world.answer(result) };
    },
    continueWith: (run, prompt) => start(`${run}+2`, { fork: { run }, prompt }),
    fork: (run, { at, model }) => start(`${run}-at-${at}`, { fork: { run, at }, config: { model: { name: model } } }),
  };
}

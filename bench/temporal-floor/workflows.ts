import { executeChild, proxyActivities, startChild } from '@temporalio/workflow';
import pLimit from 'p-limit';
import type { AgentShape } from '../overhead/scenarios.ts';

interface Activities {
  readonly nothing: () => Promise<void>;
  readonly wait: (input: { latency: number }) => Promise<void>;
}

const STARTS_AT_A_TIME = 16;

/** On a queue beside the workflow's, where one is named. */
function activities(taskQueue?: string): Activities {
  return proxyActivities<Activities>({
    startToCloseTimeout: '1 minute',
    ...(taskQueue === undefined ? {} : { taskQueue }),
  });
}

/** Activities that do nothing, one after another; on another queue than the workflow's where one is named. */
export async function chain({ length, taskQueue }: { length: number; taskQueue?: string }): Promise<void> {
  const { nothing } = activities(taskQueue);
  for (let step = 0; step < length; step++) await nothing();
}

/** Children at the same time, each a chain of its own. */
export async function fanOut({ children, length }: { children: number; length: number }): Promise<void> {
  await Promise.all(Array.from({ length: children }, () => executeChild(chain, { args: [{ length }] })));
}

interface AgentInput extends AgentShape {
  /** Milliseconds of a model call. */
  readonly latency: number;
  /** Sub-agents of one agent at a time. */
  readonly parallel: number;
}

/** The steps of an agent of src/workflows, with nothing in them. */
export async function agent({ iterations, children, latency, parallel }: AgentInput): Promise<void> {
  const { nothing: createSandbox, wait: callModel } = activities();
  const { nothing: runCode } = activities('host');
  const finishAgent = runCode;
  for (let iteration = 1; iteration <= iterations; iteration++) {
    await Promise.all([callModel({ latency }), ...(iteration === 1 ? [createSandbox()] : [])]);
    await runCode();
    if (iteration > 1 || children.length === 0) continue;
    const [slots, starts] = [pLimit(parallel), pLimit(STARTS_AT_A_TIME)];
    const run = async (child: AgentShape): Promise<void> => {
      const handle = await starts(() => startChild(agent, { args: [{ ...child, latency, parallel }] }));
      await handle.result();
    };
    await Promise.all(children.map((child) => slots(() => run(child))));
    await runCode();
  }
  await finishAgent();
}

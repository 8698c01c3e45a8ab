import { createHash } from 'node:crypto';
import type { CreateSandboxInput } from '../domain/contract.ts';
import { TypedError } from '../domain/failures.ts';
import type { HostFunction } from '../domain/kernel-protocol.ts';
import type { RunSpecification } from '../domain/records.ts';
import { formatHandle, type SandboxName } from '../domain/sandbox.ts';
import type { Sandbox, SandboxRequest } from '../sandbox/provider.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { whileBeating } from './heartbeat.ts';
import { sandboxBasis } from './sandbox-basis.ts';
import { taskText, type AgentScope } from './trajectory.ts';

/** Sandboxes that are made for one, where one after another is lost before it is ready. */
const ATTEMPTS = 3;

/** Makes an agent's sandbox with its clone, variables and functions; the same agent's again finds the first one. */
export async function createSandbox(
  deps: ActivityDependencies,
  input: Scoped<CreateSandboxInput>,
): Promise<SandboxName> {
  return whileBeating((signal) => makeSandbox(deps, input, signal));
}

export async function makeSandbox(
  deps: ActivityDependencies,
  input: Scoped<CreateSandboxInput>,
  signal: AbortSignal,
): Promise<SandboxName> {
  const { scope, generation } = input;
  const [run, task] = await Promise.all([deps.chains.specification(scope.spec), taskText(deps, input.task)]);
  const provider = deps.sandboxes(run.config.sandbox.provider);
  for (let attempt = 1; ; attempt += 1) {
    deps.checkpoint('sandbox.creating');
    const handle = await provider.create(sandboxRequest(deps, { scope, generation, run }), signal);
    deps.checkpoint('sandbox.created');
    try {
      await setUp(deps, await provider.connect(handle), { scope, generation, task });
      return formatHandle(handle);
    } catch (error) {
      if (!(error instanceof TypedError) || error.type !== 'Sandbox.Lost') throw error;
      // Nothing ran in it yet and nobody has heard of it: another one is as good.
      await provider.destroy(handle);
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function setUp(
  deps: ActivityDependencies,
  { kernel, workspace }: Sandbox,
  { scope, generation, task }: { readonly scope: AgentScope; readonly generation: number; readonly task: string },
): Promise<void> {
  await kernel.setup({
    generation,
    seed: Number.parseInt(digest(scope).slice(0, 8), 16),
    variables: { task },
    functions: HOST_FUNCTIONS,
    cwd: workspace,
  });
  deps.checkpoint('sandbox.ready');
}

/** The same for the same agent and generation, so that it is made once. */
export function sandboxRequest(
  deps: ActivityDependencies,
  agent: { readonly scope: AgentScope; readonly generation: number; readonly run: RunSpecification },
): SandboxRequest {
  const { scope, generation, run } = agent;
  return {
    name: sandboxName(scope, generation),
    generation,
    labels: {
      cluster: deps.cluster,
      namespace: deps.namespace,
      run: scope.run,
      execution: scope.execution,
      agent: scope.agent,
    },
    ...sandboxBasis(deps, run),
  };
}

function digest({ run, execution, agent }: AgentScope): string {
  return createHash('sha256').update(`${run}@${execution}/${agent}`).digest('hex');
}

/** Unique, and readable where it can be: `rlm-<run>-<agent>-<digest>-g<generation>`, at most 63 characters. */
export function sandboxName(scope: AgentScope, generation: number): string {
  const readable = `${scope.run}-${scope.agent}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 34)
    .replace(/-$/, '');
  return `rlm-${readable}-${digest(scope).slice(0, 16)}-g${generation}`;
}

/** At the greatest depth `rlm_query` stays, and answers with an error that says why. */
const HOST_FUNCTIONS: readonly HostFunction[] = [
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
  {
    name: 'rlm_query',
    parameters: [{ name: 'task', type: 'str' }],
    doc: 'A sub-agent with a clone of its own works on the task; returns its report.',
  },
  {
    name: 'rlm_query_batched',
    parameters: [{ name: 'tasks', type: 'list[str]' }],
    doc: 'Sub-agents work on the tasks in parallel; returns their reports in order.',
  },
];

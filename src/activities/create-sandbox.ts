import type { AgentActivity } from '../domain/contract.ts';
import { isSandboxLost, TypedError } from '../domain/failures.ts';
import type { InputVariable, SetupRequest } from '../domain/kernel-protocol.ts';
import { agentDepth } from '../domain/ids.ts';
import type { StoredInput } from '../domain/inputs.ts';
import type { RunSpecification } from '../domain/records.ts';
import { formatHandle, type SandboxName } from '../domain/sandbox.ts';
import type { Kernel, Sandbox, SandboxRequest } from '../sandbox/provider.ts';
import { sendInputs } from '../sandbox/send-inputs.ts';
import type { ActivityDependencies, ForAgent } from './dependencies.ts';
import { withHeartbeat } from './with-heartbeat.ts';
import { hostFunctions } from './host-functions.ts';
import { assertOwnTask } from './origin.ts';
import { agentDigest, sandboxName } from './own-sandbox.ts';
import { createTimeout, sandboxSpec } from './sandbox-spec.ts';
import type { AgentContext } from './agent-context.ts';
import { agentTask, type AgentTask } from './agent-task.ts';

/** Sandboxes that are made for one, where one after another is lost before it is ready. */
const MAX_ATTEMPTS = 3;

/**
 * Creates an agent's first sandbox, with its clone, variables and functions. Repeated, it returns the existing one. It
 * appends nothing to the trajectory, because it runs beside the first model call.
 *
 * @throws TypedError `Input.NotAllowed` for a task that the run has not given to this agent
 */
export async function createSandbox(deps: ActivityDependencies, input: ForAgent<AgentActivity>): Promise<SandboxName> {
  const { scope } = input;
  const { config } = await deps.chains.specification(scope.settings);
  await assertOwnTask(deps, scope, input.task);
  const task = await agentTask(deps, input.task);
  const seconds = createTimeout(config.sandbox);
  return withHeartbeat(async (cancelled) => {
    // For each attempt: the clock of this host and the server's may differ by hours.
    const limit = AbortSignal.timeout(seconds * 1000);
    try {
      return await makeSandbox(deps, { scope, task, generation: 0 }, AbortSignal.any([cancelled, limit]));
    } catch (error) {
      if (!limit.aborted || cancelled.aborted) throw error;
      throw new TypedError(
        'Sandbox.Unavailable',
        `No sandbox was ready within ${seconds} s (sandbox.create_timeout).`,
        { cause: error },
      );
    }
  });
}

/** Which sandbox of which agent. */
export interface SandboxOf {
  readonly scope: AgentContext;
  readonly task: AgentTask;
  readonly generation: number;
}

export async function makeSandbox(
  deps: ActivityDependencies,
  input: SandboxOf,
  signal: AbortSignal,
): Promise<SandboxName> {
  const { scope, task, generation } = input;
  const run = await deps.chains.specification(scope.settings);
  const provider = deps.sandboxes(run.config.sandbox.provider);
  for (let attempt = 1; ; attempt += 1) {
    deps.checkpoint('sandbox.creating');
    const handle = await provider.create(sandboxRequest(deps, { scope, generation, run }), signal);
    deps.checkpoint('sandbox.created');
    try {
      await setUp(deps, await provider.connect(handle), { scope, generation, run, task, signal });
      return formatHandle(handle);
    } catch (error) {
      if (!isSandboxLost(error)) throw error;
      // Nothing ran in it, and nothing refers to it yet: another one is as good.
      await provider.destroy(handle);
      if (attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

interface SetUp {
  readonly scope: AgentContext;
  readonly generation: number;
  readonly run: RunSpecification;
  readonly task: AgentTask;
  readonly signal: AbortSignal;
}

async function setUp(deps: ActivityDependencies, { kernel, workspace }: Sandbox, agent: SetUp): Promise<void> {
  const { scope, generation, run, task, signal } = agent;
  const inputs = inputsOf(scope, run, task);
  const info = await kernel.setup({
    generation,
    seed: Number.parseInt(agentDigest(scope).slice(0, 8), 16),
    functions: hostFunctions(run),
    cwd: workspace,
    ...variablesOf(scope, run, task),
    ...(inputs.length === 0 ? {} : { inputs: inputs.map(asVariable) }),
  });
  await sendInputs(kernel, info, inputs, (input) => bytesOf(deps, inputs, input), signal);
  deps.checkpoint('sandbox.ready');
}

/** Sends what a restarted interpreter has lost. */
export async function sendInputsAgain(
  deps: ActivityDependencies,
  kernel: Kernel,
  agent: Pick<SetUp, 'scope' | 'run' | 'task' | 'signal'>,
): Promise<void> {
  const inputs = inputsOf(agent.scope, agent.run, agent.task);
  await sendInputs(kernel, await kernel.info(), inputs, (input) => bytesOf(deps, inputs, input), agent.signal);
}

/** The root agent of an analysis has the signature's fields, any other agent its task and what it was handed with it. */
function variablesOf(
  scope: AgentContext,
  run: RunSpecification,
  { text }: AgentTask,
): Pick<SetupRequest, 'variables' | 'outputs'> {
  if (run.type === 'investigate' || agentDepth(scope.agent) > 0) return { variables: { task: text } };
  return { variables: {}, outputs: run.signature.outputs.map(({ name, type }) => ({ name, type })) };
}

function inputsOf(scope: AgentContext, run: RunSpecification, { variables = [] }: AgentTask): readonly StoredInput[] {
  return run.type === 'analyze' && agentDepth(scope.agent) === 0 ? run.inputs : variables;
}

function asVariable({ name, format, type }: StoredInput): InputVariable {
  return { name, format, ...(type === undefined ? {} : { type }) };
}

async function* bytesOf(
  deps: ActivityDependencies,
  inputs: readonly StoredInput[],
  { name }: InputVariable,
): AsyncGenerator<Uint8Array> {
  const input = inputs.find((each) => each.name === name);
  if (input !== undefined) yield* (await deps.blobs.open(input.ref)) as AsyncIterable<Uint8Array>;
}

/** The same for the same agent and generation, so that it is made once. */
export function sandboxRequest(
  deps: ActivityDependencies,
  agent: { readonly scope: AgentContext; readonly generation: number; readonly run: RunSpecification },
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
    ...sandboxSpec(deps, run),
  };
}

import { createHash } from 'node:crypto';
import { TypedError } from '../domain/failures.ts';
import { parseHandle, type SandboxHandle, type SandboxName } from '../domain/sandbox.ts';
import type { SandboxProvider } from '../sandbox/provider.ts';
import type { AgentContext } from './agent-context.ts';
import type { ActivityDependencies } from './dependencies.ts';

export interface OwnSandbox {
  readonly provider: SandboxProvider;
  readonly handle: SandboxHandle;
}

/**
 * The sandbox that an activity's input names. Anybody who reaches Temporal can name another agent's, and would run code in it,
 * take its patch or end it.
 *
 * @throws TypedError `Input.NotAllowed` where it is not one of this agent's; `Input.Invalid` where it is none
 */
export function ownSandbox(
  { sandboxes }: Pick<ActivityDependencies, 'sandboxes'>,
  scope: AgentContext,
  name: SandboxName,
): OwnSandbox {
  const handle = parseHandle(name);
  const provider = sandboxes(handle.provider);
  const { generation } = handle;
  if (provider.handleOf({ name: sandboxName(scope, generation), generation }).id === handle.id)
    return { provider, handle };
  throw new TypedError(
    'Input.NotAllowed',
    `Sandbox ${handle.id.slice(0, 80)} is not one of agent ${scope.agent} of run ${scope.run}.`,
  );
}

/** Unique, and readable where it can be: `rlm-<run>-<agent>-<digest>-g<generation>`, at most 63 characters. */
export function sandboxName(scope: AgentContext, generation: number): string {
  const readable = `${scope.run}-${scope.agent}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 34)
    .replace(/-$/, '');
  return `rlm-${readable}-${agentDigest(scope).slice(0, 16)}-g${generation}`;
}

/** Names an agent of one execution of a run, in hexadecimal digits. */
export function agentDigest({ run, execution, agent }: AgentContext): string {
  return createHash('sha256').update(`${run}@${execution}/${agent}`).digest('hex');
}

import type { ComponentChildren } from 'preact';
import { AgentChip } from './agent-links.tsx';
import type { FailureGroup } from './failure-groups.ts';
import { plural, visible } from './format.ts';

/** Groups, and agents of one, that are shown. */
const MAX_GROUPS = 8;
const MAX_AGENTS = 60;

interface FailedChildrenProps {
  readonly run: string;
  readonly groups: readonly FailureGroup[];
}

/** Sub-agents that did not finish, and what their parent's code was given in the place of one. */
export function FailedChildren({ run, groups }: FailedChildrenProps): ComponentChildren {
  const left = groups.slice(MAX_GROUPS).reduce((sum, { agents }) => sum + agents.length, 0);
  return (
    <>
      {groups.slice(0, MAX_GROUPS).map((group) => (
        <p key={group.agents[0]}>
          {group.agents.slice(0, MAX_AGENTS).map((id) => (
            <AgentChip key={id} run={run} id={id} />
          ))}{' '}
          {group.agents.length > MAX_AGENTS && `and ${group.agents.length - MAX_AGENTS} more `}
          <span class="error-text">did not finish.</span> <Given group={group} />
        </p>
      ))}
      {left > 0 && <p class="error-text">{plural(left, 'other sub-agent')} did not finish.</p>}
    </>
  );
}

function Given({ group: { agents, error, isPrinted } }: { readonly group: FailureGroup }): ComponentChildren {
  const isOne = agents.length === 1;
  const what = isOne ? 'its error as a string' : 'their errors as strings';
  if (error === null) return `The code was given ${what}.`;
  if (isPrinted) return `The code was given ${what}, and printed ${isOne ? 'it' : 'them'}.`;
  return (
    <>
      The code was given this string{isOne ? '' : ' for each'}: <code class="error-text">{visible(error)}</code>
    </>
  );
}

import type { Conversation, Scripts } from '../../src/testing/index.ts';
import { FORTY_ONE_AGENTS } from '../e2e/inventory-tree.ts';

/**
 * The tree of 41 agents as a model would play it whose Python process can be killed: told that a block did not run
 * again, it writes that block once more.
 */
export const patientTree: Scripts = flat(FORTY_ONE_AGENTS.scripts).map((script) =>
  typeof script === 'function' || !('reply' in script)
    ? script
    : {
        ...script,
        reply: (conversation: Conversation) => script.reply({ ...conversation, turn: stepOf(conversation) }),
      },
);

const UNDONE = /[Tt]he block of turn (\d+) did not run again, and what it had changed is undone\./;

/** Each loss counts once, however often it is told. */
function stepOf({ turn, messages }: Conversation): number {
  const undone = messages.filter(({ role }) => role === 'user').map(({ content }) => UNDONE.exec(content)?.[1]);
  return turn - new Set(undone.filter((block) => block !== undefined)).size;
}

function flat(scripts: Scripts): readonly Scripts[] {
  return Array.isArray(scripts) ? (scripts as readonly Scripts[]) : [scripts];
}

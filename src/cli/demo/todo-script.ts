/**
 * The replies of the demo's model: the module that the scripted model's process plays. What an agent does next
 * follows from what its code printed, so they fit any repository.
 */
import type { Conversation, ScriptFunction } from '../../testing/index.ts';
import { DEMO_PROMPT } from './demo-prompt.ts';
import { investigatorReply } from './investigator.ts';
import { leadReply } from './lead.ts';

const reply: ScriptFunction = (conversation: Conversation) => {
  if (conversation.opening.includes(DEMO_PROMPT)) return leadReply(conversation);
  if (conversation.opening.includes('Pathspecs for git: ')) return investigatorReply(conversation);
  return undefined;
};

export default reply;

/**
 * The replies of the demo's model: the module that the scripted model's process plays. What an agent does next
 * follows from what its code printed, so they fit any repository.
 */
import type { Conversation, ScriptFunction } from 'durable-rlm/testing';
import { investigatorReply } from './investigator.ts';
import { leadReply } from './lead.ts';
import task from './task.json' with { type: 'json' };

const reply: ScriptFunction = (conversation: Conversation) => {
  if (conversation.opening.includes(task.prompt)) return leadReply(conversation);
  if (conversation.opening.includes('Pathspecs for git: ')) return investigatorReply(conversation);
  return undefined;
};

export default reply;

/**
 * The replies of this demo's model: the module that the scripted model's process plays. The agent's were written in
 * advance; what it asks about chapters is answered by rules from the chapters' text.
 */
import type { Conversation, Script } from 'durable-rlm/testing';
import { analystReply } from './analyst.ts';
import { extractionReply } from './extractor.ts';

/** In the order in which they are asked. */
export function monteCristoScripts(): readonly Script[] {
  return [
    { name: 'chapters', reply: ({ last }: Conversation) => extractionReply(last), unplayed: () => [] },
    {
      name: 'analysis',
      reply: (conversation: Conversation) =>
        conversation.opening.includes('wealth_data') ? analystReply(conversation) : undefined,
      unplayed: () => [],
    },
  ];
}

export default monteCristoScripts();

import type { Message } from '../domain/prompts/conversation.ts';
import type { RequestView } from './model.ts';
import { wholeText } from './text.ts';

/** The messages of a request, each marked by what became of it since the request before: they grow at their end. */
export function compareRequests(before: readonly Message[], messages: readonly Message[]): RequestView {
  return {
    messages: messages.map(({ role, content }, index) => {
      const old = before[index];
      if (old === undefined) return { role, content: wholeText(content), change: 'new' };
      if (old.content === content && old.role === role) return { role, content: wholeText(content), change: 'same' };
      return { role, content: wholeText(content), change: 'changed', before: wholeText(old.content) };
    }),
    left_out: Math.max(0, before.length - messages.length),
  };
}

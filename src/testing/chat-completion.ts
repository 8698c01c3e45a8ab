import type { Conversation } from './conversation.ts';
import type { ScriptedReply } from './script.ts';

/** The body of a successful reply, as the API has it. */
export function chatCompletionBody(reply: ScriptedReply, conversation: Conversation, id: string): string {
  const text = reply.text ?? '';
  const inputLength = conversation.messages.reduce((sum, message) => sum + message.content.length, 0);
  const prompt_tokens = reply.usage?.input_tokens ?? tokensOf(inputLength);
  const completion_tokens = reply.usage?.output_tokens ?? tokensOf(text.length);
  const cost = reply.usage?.cost;
  return JSON.stringify({
    id,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: conversation.model,
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: reply.finishReason ?? 'stop' }],
    usage: {
      prompt_tokens,
      completion_tokens,
      total_tokens: prompt_tokens + completion_tokens,
      ...(cost === undefined ? {} : { cost }),
    },
  });
}

/** The body of an error, as the API has it. */
export function errorBody(message: string, code: string | number): string {
  return JSON.stringify({ error: { message, type: 'scripted', code } });
}

/** Four characters a token is the usual rule of thumb for English text. */
function tokensOf(characters: number): number {
  return Math.ceil(characters / 4);
}

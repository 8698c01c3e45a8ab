import { errorMessage } from '../domain/error-message.ts';
import { TypedError } from '../domain/failures.ts';
import type { ChatModels, ChatReply } from '../llm/chat-model.ts';
import type { Listener } from './events.ts';
import { currentActivityContext } from './activity-context.ts';

/** The same models; emits an event for each call. */
export function observeModels(models: ChatModels, tell: Listener): ChatModels {
  return {
    async complete(request, signal) {
      const started = performance.now();
      const told = (outcome: { readonly reply: ChatReply } | { readonly error: unknown }): void =>
        tell({
          kind: 'model call',
          run: currentActivityContext()?.run ?? '',
          agent: currentActivityContext()?.agent ?? '',
          model: request.model,
          purpose: request.purpose,
          seconds: (performance.now() - started) / 1000,
          ...('reply' in outcome
            ? { outcome: 'answered', usage: outcome.reply.usage }
            : { outcome: failureOf(outcome.error, signal), error: errorMessage(outcome.error) }),
        });
      try {
        const reply = await models.complete(request, signal);
        told({ reply });
        return reply;
      } catch (error) {
        told({ error });
        throw error;
      }
    },
  };
}

function failureOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'cancelled';
  return error instanceof TypedError ? error.type : 'error';
}

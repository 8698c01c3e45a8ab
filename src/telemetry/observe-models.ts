import { TypedError } from '../domain/failures.ts';
import type { ChatModels, ChatReply, ChatRequest } from '../llm/chat-model.ts';
import type { Listener, Purpose } from './events.ts';
import { currentPlace } from './place.ts';

/** The same models; each call is told of. */
export function observeModels(models: ChatModels, tell: Listener): ChatModels {
  return {
    async complete(request, signal) {
      const started = performance.now();
      const told = (outcome: { readonly reply: ChatReply } | { readonly error: unknown }): void =>
        tell({
          kind: 'model call',
          run: currentPlace()?.run ?? '',
          agent: currentPlace()?.agent ?? '',
          model: request.model,
          purpose: purposeOf(request),
          seconds: (performance.now() - started) / 1000,
          ...('reply' in outcome
            ? { outcome: 'answered', usage: outcome.reply.usage }
            : { outcome: failureOf(outcome.error, signal), error: messageOf(outcome.error) }),
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

function purposeOf({ idempotencyKey }: ChatRequest): Purpose {
  if (currentPlace()?.activity === 'answerPrompts') return 'llm_query';
  if (idempotencyKey.includes('/summary/')) return 'summary';
  return idempotencyKey.includes('/final_answer/') ? 'final_answer' : 'turn';
}

function failureOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'cancelled';
  return error instanceof TypedError ? error.type : 'error';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

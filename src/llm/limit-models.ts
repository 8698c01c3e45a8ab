import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import type { ChatModels } from './chat-model.ts';
import type { ModelLimits } from './concurrency.ts';

/** The same models, of which at most as many calls are in flight as `model.max_concurrency` and the provider allow. */
export function limitModels(models: ChatModels, config: ModelConfig, limits: ModelLimits): ChatModels {
  return {
    async complete(request, signal) {
      const limit = limits.of([config.base_url, config.api_key_env, request.model].join('\n'));
      try {
        return await limit.run(() => models.complete(request, signal), { max: config.max_concurrency, signal });
      } catch (error) {
        if (error instanceof TypedError && error.type === 'Model.RateLimited')
          throw withAnsweredAt(error, limit.answeredAt);
        throw error;
      }
    },
  };
}

/** To decide how long to keep asking, a caller needs to know whether others are answered meanwhile. */
function withAnsweredAt({ type, message, retryAfterMs }: TypedError, answeredAt: number | undefined): TypedError {
  return new TypedError(type, message, { retryAfterMs, ...(answeredAt === undefined ? {} : { answeredAt }) });
}

import type { Usage } from '../domain/usage.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Why a model is asked: for an iteration of an agent, for a summary of its iterations, for its final answer, or by `llm_query`. */
export type Purpose = 'turn' | 'summary' | 'final_answer' | 'llm_query';

export interface ChatRequest {
  readonly purpose: Purpose;
  /** In LiteLLM notation: `provider/model`. */
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** Stable across retries of the same call; sent as a header so that a provider or a test can tell retries apart. */
  readonly idempotencyKey: string;
}

export interface ChatReply {
  /** May be empty. */
  readonly text: string;
  /** What the model reasoned, where the provider gives it apart from the text. */
  readonly reasoning?: string;
  readonly finish_reason: 'stop' | 'length' | 'content_filter' | 'other';
  /** Cut after far fewer tokens than were allowed: the conversation fills the model's context. */
  readonly window_full?: true;
  /** The model that answered, as the provider names it. */
  readonly model: string;
  readonly usage: Usage;
}

/**
 * Asks models. One attempt a call: the client's own retries are off.
 *
 * @throws TypedError `Model.*` (see `domain/failures.ts`), `retryAfterMs` set where the provider said so.
 */
export interface ChatModels {
  complete(request: ChatRequest, signal: AbortSignal): Promise<ChatReply>;
}

import { createHash } from 'node:crypto';
import type { ModelConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { agentDepth } from '../domain/ids.ts';
import { shortenConversation, type Message } from '../domain/prompts/conversation.ts';
import type { RunSpecification } from '../domain/records.ts';
import type { ChatReply, Purpose } from '../llm/chat-model.ts';
import type { Trajectory } from './agent-trajectory.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { exhausted, isExhausted, noteKeyMissing } from './model-attempts.ts';
import type { AgentContext } from './agent-context.ts';

export interface ModelRequest {
  readonly deps: ActivityDependencies;
  readonly trajectory: Pick<Trajectory, 'head'>;
  readonly scope: AgentContext;
  readonly run: RunSpecification;
  readonly messages: readonly Message[];
  readonly purpose: Exclude<Purpose, 'llm_query'>;
  /** Counted from 1 where the same request is repeated for another reply. */
  readonly attempt?: number;
  readonly signal: AbortSignal;
}

export async function askModel(request: ModelRequest): Promise<ChatReply> {
  const { deps, trajectory, run, scope, purpose, attempt = 1, signal } = request;
  const model = agentModel(run.config.model, agentDepth(scope.agent));
  const models = deps.models(run.config.model);
  let messages = request.messages;
  for (let shortened = 0; ; shortened += 1) {
    try {
      const digest = digestOf({ model, messages });
      deps.checkpoint('model.asking');
      return await models.complete(
        { purpose, model, messages, idempotencyKey: [trajectory.head, purpose, attempt, digest].join('/') },
        signal,
      );
    } catch (error) {
      noteKeyMissing(error, deps.host);
      if (isExhausted(error, run.config.model)) throw exhausted(error, run.config.model);
      // These must get through: they are asked with the middle of the conversation left out.
      if (!isContextLength(error) || purpose === 'turn' || shortened === 4) throw error;
      messages = shortenConversation(messages, Math.floor(characters(messages) * shareThatFits(error)));
    }
  }
}

/** Another model, or a conversation made shorter, is another request. */
function digestOf(request: { readonly model: string; readonly messages: readonly Message[] }): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('base64url').slice(0, 22);
}

export function isContextLength(error: unknown): error is TypedError {
  return error instanceof TypedError && error.type === 'Model.ContextLength';
}

/** Of a conversation that is too long: half, or less where the provider says that half is still too much. */
function shareThatFits({ tokens }: TypedError): number {
  const { sent, limit } = tokens ?? {};
  return sent === undefined || limit === undefined ? 0.5 : Math.min(0.5, (limit / sent) * 0.8);
}

/** The entry of `by_depth` with the greatest depth not above the agent's, else `name`. */
export function agentModel(config: ModelConfig, depth: number): string {
  const entries = Object.entries(config.by_depth ?? {}).map(([at, name]) => ({ at: Number(at), name }));
  const fitting = entries.filter((entry) => entry.at <= depth).toSorted((a, b) => b.at - a.at);
  return fitting[0]?.name ?? config.name;
}

function characters(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + message.content.length, 0);
}

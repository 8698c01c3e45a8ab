import type { ComponentChildren } from 'preact';
import { useShownRun } from './hooks.ts';
import { AskForm, filled, numberOf, textOf, type Orders } from './order.tsx';

export interface ForkFormProps {
  /** Whose work is shared: the first is chosen. */
  readonly agents: readonly string[];
  /** Null: the last one. */
  readonly iteration: number | null;
  readonly orders: Orders;
  readonly onClose: () => void;
}

/** A new run that shares an agent's work up to an iteration. */
export function ForkForm({ agents, iteration, orders, onClose }: ForkFormProps): ComponentChildren {
  const { view } = useShownRun();
  const start = async (fields: FormData): Promise<void> => {
    const isDone = await orders.send({
      kind: 'fork',
      ...filled({
        agent: textOf(fields, 'agent'),
        at: numberOf(fields, 'at'),
        message: textOf(fields, 'message'),
        model: textOf(fields, 'model'),
        id: textOf(fields, 'id'),
      }),
    });
    if (isDone) onClose();
  };
  return (
    <AskForm label="Fork from here" onSubmit={(fields) => void start(fields)} onClose={onClose}>
      <p class="ask-text">
        A new run shares the work of the agent up to this iteration, and no model is asked for that again. It has the
        settings of this run, and the agent is its root.
      </p>
      <label>
        Agent
        <select name="agent">
          {agents.map((id) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
      </label>
      <label>
        After iteration
        <input name="at" type="number" min="0" step="1" placeholder="last" defaultValue={iteration ?? ''} />
      </label>
      <label class="ask-wide">
        What its model is told there <span class="quiet">(may be left empty)</span>
        <textarea name="message" rows={3} maxLength={20_000} data-first />
      </label>
      <label>
        Model
        <input name="model" placeholder={modelOf(view.config) ?? 'as before'} size={24} />
      </label>
      <label>
        Id of the new run
        <input name="id" placeholder="made up" size={24} />
      </label>
      <span class="ask-buttons">
        <button type="submit" disabled={orders.isBusy}>
          Start the fork
        </button>{' '}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </span>
    </AskForm>
  );
}

/** The name of the model in a configuration. */
export function modelOf(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null || !('model' in config)) return undefined;
  const { model } = config;
  if (typeof model !== 'object' || model === null || !('name' in model)) return undefined;
  return typeof model.name === 'string' ? model.name : undefined;
}

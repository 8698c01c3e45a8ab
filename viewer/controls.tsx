import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Control } from '../src/viewer/model.ts';
import { ForkForm, modelOf } from './fork-form.tsx';
import { useShownRun } from './hooks.ts';
import { AskForm, filled, numberOf, OutcomeLine, textOf, useOrders, type Orders } from './order.tsx';

/** Those whose button asks first. */
const LABELS: Readonly<Record<Control, string>> = {
  pause: 'Pause',
  resume: 'Resume',
  steer: 'Steer…',
  budget: 'Budget…',
  cancel: 'Cancel…',
  retry: 'Retry…',
  fork: 'Fork…',
};

interface ControlsProps {
  /** The agent and the iteration that are looked at. */
  readonly agent: string | null;
  readonly iteration: number | null;
}

/** What a person may tell the run. What became of it is seen in the run itself. */
export function Controls({ agent, iteration }: ControlsProps): ComponentChildren {
  const { view } = useShownRun();
  const orders = useOrders();
  const [asks, setAsks] = useState<Control | null>(null);
  const bar = useRef<HTMLDivElement>(null);
  const { controls, uncontrollable } = view;
  // What was done last may have ended the run, or this may be a page from a file.
  if (controls.length === 0 && orders.outcome === null) return null;
  const close = (): void => {
    bar.current?.querySelector<HTMLElement>(`[data-control="${asks}"]`)?.focus();
    setAsks(null);
  };
  const press = (control: Control): void => {
    if (control === 'pause' || control === 'resume') void orders.send({ kind: control });
    else setAsks(asks === control ? null : control);
  };
  const shown = asks !== null && controls.includes(asks) && uncontrollable === null ? asks : null;
  return (
    <div class="controls" ref={bar} role="group" aria-label="Control the run">
      {controls.map((control) => (
        <button
          key={control}
          type="button"
          data-control={control}
          disabled={orders.isBusy || uncontrollable !== null}
          aria-expanded={LABELS[control].endsWith('…') ? shown === control : undefined}
          onClick={() => press(control)}
        >
          {LABELS[control]}
        </button>
      ))}
      {uncontrollable !== null && <p class="quiet">{uncontrollable}</p>}
      {shown !== null && <Ask control={shown} orders={orders} agent={agent} iteration={iteration} onClose={close} />}
      <OutcomeLine orders={orders} />
    </div>
  );
}

interface AskProps extends ControlsProps {
  readonly control: Control;
  readonly orders: Orders;
  readonly onClose: () => void;
}

function Ask({ control, agent, iteration, orders, onClose }: AskProps): ComponentChildren {
  switch (control) {
    case 'steer':
      return <Steer agent={agent} orders={orders} onClose={onClose} />;
    case 'budget':
      return <Budget orders={orders} onClose={onClose} />;
    case 'cancel':
      return <Cancel orders={orders} onClose={onClose} />;
    case 'retry':
      return <Retry orders={orders} onClose={onClose} />;
    default:
      return <ForkForm agents={withRoot(agent)} iteration={iteration} orders={orders} onClose={onClose} />;
  }
}

interface FormProps {
  readonly orders: Orders;
  readonly onClose: () => void;
}

function withRoot(agent: string | null): readonly string[] {
  return agent === null || agent === '0' ? ['0'] : [agent, '0'];
}

function Steer({ agent, orders, onClose }: FormProps & { readonly agent: string | null }): ComponentChildren {
  const { view } = useShownRun();
  const isAtWork = (id: string): boolean =>
    view.agents.every((row) => row.id !== id) || view.agents.some((row) => row.id === id && row.status === 'running');
  const offered = withRoot(agent).filter(isAtWork);
  const send = async (fields: FormData): Promise<void> => {
    const order = filled({ agent: textOf(fields, 'agent'), message: textOf(fields, 'message') });
    if (await orders.send({ kind: 'steer', ...order })) onClose();
  };
  return (
    <AskForm label="Tell an agent something" onSubmit={(fields) => void send(fields)} onClose={onClose}>
      <label>
        For agent
        <select name="agent">
          {offered.map((id) => (
            <option key={id} value={id}>
              {id === '0' ? '0 (the root)' : id}
            </option>
          ))}
        </select>
      </label>
      {agent !== null && !offered.includes(agent) && <span class="quiet">Agent {agent} has ended.</span>}
      <label class="ask-wide">
        What it is to know or to do: its model sees it at its next iteration
        <textarea name="message" rows={3} maxLength={20_000} required data-first />
      </label>
      <Buttons submit="Send" leave="Close" orders={orders} onClose={onClose} />
    </AskForm>
  );
}

function Cancel({ orders, onClose }: FormProps): ComponentChildren {
  const send = async (): Promise<void> => {
    if (await orders.send({ kind: 'cancel' })) onClose();
  };
  return (
    <AskForm label="Cancel the run" onSubmit={() => void send()} onClose={onClose}>
      <p class="ask-text">The run ends; what it has so far is kept.</p>
      <Buttons submit="Cancel the run" leave="Keep it running" isDanger orders={orders} onClose={onClose} />
    </AskForm>
  );
}

function Retry({ orders, onClose }: FormProps): ComponentChildren {
  const { view } = useShownRun();
  const send = async (fields: FormData): Promise<void> => {
    if (await orders.send({ kind: 'retry', ...filled({ model: textOf(fields, 'model') }) })) onClose();
  };
  return (
    <AskForm label="Retry the run" onSubmit={(fields) => void send(fields)} onClose={onClose}>
      <p class="ask-text">
        It continues under its id where it ended: what was paid for is kept. The configuration of now counts, and it
        gets its global timeout again.
      </p>
      <label>
        Model
        <input name="model" placeholder={modelOf(view.config) ?? 'as before'} size={24} />
      </label>
      <Buttons submit="Retry the run" leave="Close" orders={orders} onClose={onClose} />
    </AskForm>
  );
}

const LIMITS = [
  { name: 'max_cost', label: 'USD in all', step: 'any' },
  { name: 'max_sandboxes', label: 'Sandboxes in all', step: '1' },
  { name: 'max_llm_calls', label: 'llm_query calls in all', step: '1' },
  { name: 'global_timeout', label: 'Seconds in all', step: '1' },
] as const;

function Budget({ orders, onClose }: FormProps): ComponentChildren {
  const { view } = useShownRun();
  const limits = limitsOf(view.config);
  const send = async (fields: FormData): Promise<void> => {
    const wanted = filled(Object.fromEntries(LIMITS.map(({ name }) => [name, numberOf(fields, name)])));
    if (await orders.send({ kind: 'budget', ...wanted })) onClose();
  };
  return (
    <AskForm label="Change the budget" onSubmit={(fields) => void send(fields)} onClose={onClose}>
      {LIMITS.filter(({ name }) => name !== 'max_cost' || limits.max_cost !== undefined).map(
        ({ name, label, step }) => (
          <label key={name}>
            {label} {limits[name] !== undefined && <span class="quiet">(it began with {limits[name]})</span>}
            <input name={name} type="number" min="0" step={step} />
          </label>
        ),
      )}
      {limits.max_cost === undefined && (
        <p class="ask-text quiet">It began without rlm.max_cost, so nothing limits its cost.</p>
      )}
      <Buttons submit="Set" leave="Close" orders={orders} onClose={onClose} />
    </AskForm>
  );
}

function limitsOf(config: unknown): Partial<Record<(typeof LIMITS)[number]['name'], number>> {
  if (typeof config !== 'object' || config === null || !('rlm' in config)) return {};
  return config.rlm ?? {};
}

function Buttons({
  submit,
  leave,
  isDanger = false,
  orders,
  onClose,
}: FormProps & { readonly submit: string; readonly leave: string; readonly isDanger?: boolean }): ComponentChildren {
  return (
    <span class="ask-buttons">
      <button type="submit" class={isDanger ? 'danger' : ''} disabled={orders.isBusy}>
        {submit}
      </button>{' '}
      {/* What ends something is not done by pressing Enter twice. */}
      <button type="button" data-first={isDanger ? true : undefined} onClick={onClose}>
        {leave}
      </button>
    </span>
  );
}

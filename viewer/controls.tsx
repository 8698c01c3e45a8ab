import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { RunView } from '../src/viewer/model.ts';
import { useData } from './hooks.ts';

/** What a person may tell the run. What became of it is seen in the run itself. */
export function Controls({ view }: { readonly view: RunView }): ComponentChildren {
  const data = useData();
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly failed: boolean } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [asks, setAsks] = useState<'cancel' | 'budget' | null>(null);
  const { controls, run } = view;
  if (controls.length === 0) return null;
  const send = async (order: object, text: string): Promise<void> => {
    setBusy(true);
    setAsks(null);
    try {
      await data.control(run, order);
      setOutcome({ text, failed: false });
    } catch (error) {
      setOutcome({ text: error instanceof Error ? error.message : String(error), failed: true });
    }
    setBusy(false);
  };
  return (
    <div class="controls">
      {controls.includes('pause') && (
        <button
          type="button"
          disabled={isBusy}
          onClick={() => void send({ kind: 'pause' }, 'Pausing: calls in progress finish, nothing new starts.')}
        >
          Pause
        </button>
      )}
      {controls.includes('resume') && (
        <button type="button" disabled={isBusy} onClick={() => void send({ kind: 'resume' }, 'Resuming.')}>
          Resume
        </button>
      )}
      {controls.includes('budget') && (
        <button
          type="button"
          disabled={isBusy}
          aria-expanded={asks === 'budget'}
          onClick={() => setAsks(asks === 'budget' ? null : 'budget')}
        >
          Budget…
        </button>
      )}
      {controls.includes('cancel') && (
        <button
          type="button"
          disabled={isBusy}
          aria-expanded={asks === 'cancel'}
          onClick={() => setAsks(asks === 'cancel' ? null : 'cancel')}
        >
          Cancel…
        </button>
      )}
      {asks === 'cancel' && (
        <div class="ask" role="group" aria-label="Cancel the run">
          <p>The run ends; what it has so far is kept.</p>
          <button
            type="button"
            class="danger"
            onClick={() => void send({ kind: 'cancel' }, 'Cancelling: its agents clean up.')}
          >
            Cancel the run
          </button>{' '}
          <button type="button" onClick={() => setAsks(null)}>
            Let it go on
          </button>
        </div>
      )}
      {asks === 'budget' && <Budget view={view} send={send} />}
      <p role="status" class={outcome?.failed === true ? 'error-text' : 'quiet'}>
        {outcome?.text}
      </p>
    </div>
  );
}

const LIMITS = [
  { name: 'max_cost', label: 'USD in all', step: 'any' },
  { name: 'max_sandboxes', label: 'Sandboxes in all', step: '1' },
  { name: 'max_llm_calls', label: 'llm_query calls in all', step: '1' },
] as const;

function Budget({
  view,
  send,
}: {
  readonly view: RunView;
  readonly send: (order: object, outcome: string) => Promise<void>;
}): ComponentChildren {
  const limits = limitsOf(view.config);
  const onSubmit = (event: Event): void => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const given = new FormData(event.target);
    const wanted = LIMITS.flatMap(({ name }) => {
      const text = given.get(name);
      return typeof text === 'string' && text.trim() !== '' ? [[name, Number(text)] as const] : [];
    });
    void send({ kind: 'budget', ...Object.fromEntries(wanted) }, 'New limits are set. If it is paused, resume it.');
  };
  return (
    <form class="ask" aria-label="Change the budget" onSubmit={onSubmit}>
      {LIMITS.filter(({ name }) => name !== 'max_cost' || limits.max_cost !== undefined).map(
        ({ name, label, step }) => (
          <label key={name}>
            {label} {limits[name] !== undefined && <span class="quiet">(it began with {limits[name]})</span>}
            <input name={name} type="number" min="0" step={step} />
          </label>
        ),
      )}
      <button type="submit">Set</button>
    </form>
  );
}

function limitsOf(config: unknown): Partial<Record<(typeof LIMITS)[number]['name'], number>> {
  if (typeof config !== 'object' || config === null || !('rlm' in config)) return {};
  return config.rlm ?? {};
}

import type { GivenConfig } from './authorize.ts';
import { inputProblem } from './check-input.ts';
import { shown } from './check-message.ts';
import type { RunConfig } from './config.ts';
import { isRecord } from './is-record.ts';
import { canonicalJson } from './records.ts';

const WHAT_CHANGES =
  'configure changes settings of model, setBudget the limits max_sandboxes, max_llm_calls, max_cost and global_timeout, and steer tells an agent something';

/** What `rlm` sets by itself; an input with a grant was made by it, and it has told what cannot change. */
const CLIENTS_FIELDS: ReadonlySet<string> = new Set(['config', 'grant', 'grant_for', 'from']);

/**
 * What is wrong with what `configure` was sent, a phrase for a person; undefined where it can be applied. Only `config`
 * changes anything: what else is given must be as at the start.
 */
export function configureProblem(
  type: 'investigate' | 'analyze',
  started: Readonly<Record<string, unknown>>,
  given: unknown,
): string | undefined {
  if (!isRecord(given)) return `it must be {config: {model: {...}}}, not ${shown(given)}`;
  const problem = inputProblem(type, { ...started, ...given });
  if (problem !== undefined) return problem.replace(/^The /, 'the ').replace(/\.$/, '');
  if (typeof given['grant'] === 'string') return undefined;
  if (!isRecord(given['config'])) return `config is missing: settings of model, as in config.yaml; ${WHAT_CHANGES}`;
  const others = Object.keys(given).filter((name) => !CLIENTS_FIELDS.has(name) && !isSame(given[name], started[name]));
  return others.length === 0 ? undefined : `${namesOf(others)} cannot change in a run that is open; ${WHAT_CHANGES}`;
}

/**
 * The settings beside those of models that a configuration gives another value than a run that is open has: a sentence
 * for a person; undefined where there are none.
 *
 * @param given - as it was sent
 * @param asked - the same with the worker's values for what it does not name
 */
export function keptSettingsProblem(given: GivenConfig, asked: RunConfig, current: RunConfig): string | undefined {
  const kept = Object.entries(given).flatMap(([section, fields]) =>
    section === 'model'
      ? []
      : Object.keys(fields ?? {})
          .filter((name) => fields?.[name] !== null && fields?.[name] !== undefined)
          .map((name) => ({
            setting: `${section}.${name}`,
            value: valueOf(current, section, name),
            now: valueOf(asked, section, name),
          }))
          .filter(({ value, now }) => !isSame(value, now)),
  );
  if (kept.length === 0) return undefined;
  const names = kept.map(({ setting, value }) => `${setting} (${value === undefined ? 'its default' : shown(value)})`);
  return `${namesOf(names)} cannot change in a run that is open: leave ${kept.length === 1 ? 'it' : 'them'} out. ${WHAT_CHANGES}.`;
}

function valueOf(config: RunConfig, section: string, name: string): unknown {
  const sections: Readonly<Record<string, unknown>> = { ...config };
  const fields = sections[section];
  return isRecord(fields) ? fields[name] : undefined;
}

function namesOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one ?? null) === canonicalJson(other ?? null);
}

import { existsSync } from 'node:fs';
import {
  continuedInput,
  planSettings,
  runSettings,
  type SettingChange,
  type SettingsPlan,
} from '../client/change-settings.ts';
import type { RunOrigin } from '../client/run-arguments.ts';
import { configAtEnd } from '../client/retry-run.ts';
import { withGrant } from '../client/start-run.ts';
import type { TemporalRun } from '../client/temporal-runs.ts';
import { parseConfig } from '../config/load-config.ts';
import { createGrants, grantBudget } from '../grants.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { RunConfig } from '../domain/config.ts';
import type { RunReference } from '../domain/records.ts';
import { readConfiguration } from './configuration.ts';
import type { FoundRun } from './find-run.ts';
import { say, type Io } from './io.ts';
import type { TemporalOptions } from './options.ts';
import type { Session } from './session.ts';
import { mergeSettings } from './settings.ts';

/**
 * Gives an open run what the configuration says otherwise than when the run was started, and says what it took and what
 * it could not. A worker must be there.
 */
export async function takeSettings(
  io: Io,
  session: Session,
  { runs, known, stored }: FoundRun,
  options: TemporalOptions,
): Promise<void> {
  // A program, or Temporal's command line, gave it a configuration of its own: files here say nothing about it.
  if (stored === undefined || known.origin === undefined) return;
  const { run } = known;
  const settings = await runSettings(session.blobs, stored);
  const current = await currentConfig(io, known.origin, options);
  const plan = planSettings({ config: settings.config, started: known.parts, isOpen: true }, current);
  if (plan.taken.length > 0) {
    const start = continuedInput({ ...settings, execution: stored.execution }, plan.config);
    const { input } = await withGrant(session, run, start);
    await runs.configure(run, input);
    if (Object.keys(plan.limits).length > 0)
      await runs.setBudget(run, await grantBudget(createGrants(session.stateDirectory), run, plan.limits));
  }
  sayChanges(io, run, plan);
}

/** The same for a run that is to be retried: it takes everything. */
export async function settingsForRetry(
  io: Io,
  session: Session,
  { stored, known }: { readonly stored: RunReference; readonly known: TemporalRun | undefined },
  options: TemporalOptions & { readonly overrides: ConfigInput },
): Promise<RunConfig> {
  const { config } = await runSettings(session.blobs, stored);
  const before = configAtEnd(config, stored);
  if (known?.origin === undefined) {
    const { model, rlm, sandbox, repository } = before;
    return parseConfig(options.overrides, { model, rlm, sandbox, repository });
  }
  const current = await currentConfig(io, known.origin, options, options.overrides);
  const plan = planSettings({ config: before, started: known.parts, isOpen: false }, current);
  sayChanges(io, stored.run, plan);
  return plan.config;
}

/** By the files that the run was started with, where the command names no other, and the options that it had. */
async function currentConfig(
  io: Io,
  origin: RunOrigin | undefined,
  options: TemporalOptions,
  overrides: ConfigInput = {},
): Promise<RunConfig> {
  let file = options.config ?? origin?.config_file;
  if (file !== undefined && options.config === undefined && !existsSync(file)) {
    say(io, `Note: ${file}, which the run was started with, is no longer there: what it said stays as it was.`);
    file = undefined;
  }
  return (
    await readConfiguration(io, file, { overrides: mergeSettings(origin?.settings ?? {}, overrides), defaults: {} })
  ).config;
}

function sayChanges(io: Io, run: string, { taken, kept }: SettingsPlan): void {
  if (taken.length > 0) say(io, `Run ${run} continues with ${taken.map(inWords).join(', ')}.`);
  if (kept.length === 0) return;
  const names = kept.map(({ setting, before = 'its default' }) => `${setting} (${before})`).join(', ');
  say(
    io,
    `It keeps ${names}: that cannot change in a run that is open. A new run, or rlm retry ${run} when it has ended, takes it.`,
  );
}

function inWords({ setting, before, now }: SettingChange): string {
  return `${setting} ${now}${before === undefined ? '' : ` (it was ${before})`}`;
}

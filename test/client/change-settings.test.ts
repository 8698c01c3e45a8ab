import { describe, expect, it } from 'vitest';
import { planSettings } from '../../src/client/change-settings.ts';
import { identityOf, typedConfig } from '../../src/client/run-arguments.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { ConfigInput } from '../../src/config/schema.ts';

const started = (given: ConfigInput) => identityOf({ prompt: 'x', config: typedConfig(parseConfig(given)) }).parts;

function plan(before: ConfigInput, now: ConfigInput, isOpen = true) {
  const run = { config: parseConfig(before), started: started(before), isOpen };
  const { taken, kept, limits, config } = planSettings(run, parseConfig(now));
  return { taken: taken.map(({ setting }) => setting), kept: kept.map(({ setting }) => setting), limits, config };
}

describe('what a run takes of the configuration of now', () => {
  it('is nothing where nothing was changed', () => {
    const before = { model: { name: 'openai/a' }, rlm: { max_cost: 1 } };
    expect(plan(before, before)).toMatchObject({ taken: [], kept: [], limits: {} });
  });

  it('is the model, its address and key, and the limits that are counted', () => {
    const before = { model: { name: 'openai/a' }, rlm: { max_cost: 1, global_timeout: 60 } };
    const now = { model: { name: 'openai/b', api_key_env: 'OTHER' }, rlm: { max_cost: 2, global_timeout: 90 } };
    const { taken, limits, config } = plan(before, now);
    expect(taken).toEqual(['model.name', 'model.api_key_env', 'rlm.global_timeout', 'rlm.max_cost']);
    expect(limits).toEqual({ global_timeout: 90, max_cost: 2 });
    expect(config).toMatchObject({ model: { name: 'openai/b', api_key_env: 'OTHER' }, rlm: { max_cost: 2 } });
  });

  it('is not what an open run has built on; a run that is retried takes it', () => {
    const now: ConfigInput = { sandbox: { memory_mb: 512 }, rlm: { max_iterations: 7, max_cost: 3 } };
    expect(plan({}, now)).toMatchObject({
      taken: [],
      kept: ['rlm.max_iterations', 'rlm.max_cost', 'sandbox.memory_mb'],
    });
    expect(plan({}, now, false).kept).toEqual([]);
    expect(plan({}, now, false).config).toMatchObject(now);
  });

  it('leaves alone what is no longer named, and what the run has already', () => {
    expect(plan({ model: { name: 'openai/a' } }, {})).toMatchObject({ taken: [], kept: [] });
    const run = {
      config: parseConfig({ model: { name: 'openai/b' } }),
      started: started({ model: { name: 'openai/a' } }),
    };
    expect(planSettings({ ...run, isOpen: true }, parseConfig({ model: { name: 'openai/b' } })).taken).toEqual([]);
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { parseMetrics } from './prometheus.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCUMENT = join(ROOT, 'docs', 'observability.md');
const PART = /(<!-- metrics: .*? -->\n)[^]*(<!-- end of metrics -->)/;

/** What a scrape says of our own metrics before anything happened. */
async function described(): Promise<readonly { name: string; type: string; help: string }[]> {
  const text = await createMetrics().render();
  return [...text.matchAll(/^# HELP (rlm_\S+) (.*)\n# TYPE \S+ (\S+)/gm)].map(
    ([, name = '', help = '', type = '']) => ({
      name,
      help,
      type,
    }),
  );
}

it('docs/observability.md lists every metric as the code has it', async () => {
  const rows = (await described()).map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  const table = ['| metric | kind | what |', '| --- | --- | --- |', ...rows].join('\n');
  const document = await readFile(DOCUMENT, 'utf8');
  expect(document).toMatch(PART);
  const written = document.replace(PART, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`);
  await expect(written).toMatchFileSnapshot(DOCUMENT);
});

it('dashboards and alerts name metrics that there are', async () => {
  const names = new Set((await described()).map(({ name }) => name));
  const files = ['grafana/dashboards', 'prometheus']
    .map((folder) => join(ROOT, 'deploy', folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const used = files.flatMap((file) => readFileSync(file, 'utf8').match(/\brlm_[a-z_]+\b/g) ?? []);
  const unknown = used.filter((name) => !names.has(name) && !names.has(name.replace(/_(bucket|sum|count)$/, '')));
  expect(used.length).toBeGreaterThan(10);
  expect(unknown).toEqual([]);
});

it('a level that cannot be asked for is left out of a scrape, and the rest is there', async () => {
  const metrics = createMetrics();
  metrics.observe({
    openAgents: () => Promise.reject(new Error('no server')),
    aliveSandboxes: () => Promise.resolve({ local: 3 }),
    models: { taken: 2, waiting: 1 },
  });
  const { samples, problems } = parseMetrics(await metrics.render());
  expect(problems).toEqual([]);
  const levels = samples.filter(({ name }) => /^rlm_(agents_open|sandboxes_alive|work_)/.test(name));
  expect(levels).toEqual([
    { name: 'rlm_sandboxes_alive', labels: { provider: 'local' }, value: 3 },
    { name: 'rlm_work_in_progress', labels: { work: 'models' }, value: 2 },
    { name: 'rlm_work_in_progress', labels: { work: 'sandboxes' }, value: 0 },
    { name: 'rlm_work_waiting', labels: { work: 'models' }, value: 1 },
    { name: 'rlm_work_waiting', labels: { work: 'sandboxes' }, value: 0 },
  ]);
});

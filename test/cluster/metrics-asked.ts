import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../deploy/compose-file.ts';
import type { Cluster } from './topology.ts';

/** Names that the dashboard and the alerts ask for. */
function metricsAsked(): readonly string[] {
  const files = ['deploy/grafana/dashboards/durable-rlm.json', 'deploy/prometheus/alerts.yml'];
  const labels = new Set(['service_name']);
  const names = files.flatMap((path) =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/\b(?:rlm|temporal|service|process|nodejs)_\w+/g)].map(
      ([name]) => name,
    ),
  );
  return [...new Set(names)].filter((name) => !labels.has(name)).toSorted();
}

/** Those of them that neither a worker nor the Temporal server has. */
export async function metricsMissing({ workers, temporal }: Cluster): Promise<string[]> {
  const scraped = await Promise.all([
    ...workers.map((worker) => worker.metrics()),
    fetch(`http://127.0.0.1:${temporal.metricsPort}/metrics`).then((answer) => answer.text()),
  ]);
  const known = new Set(
    scraped
      .flatMap((text) => [...text.matchAll(/^# TYPE (\w+) (\w+)/gm)])
      .flatMap(([, name, type]) =>
        type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
  );
  return metricsAsked().filter((name) => !known.has(name));
}

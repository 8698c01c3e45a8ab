import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';

/** By workflow id; executions after the first have `~1`, `~2`, ... behind it. */
const histories = JSON.parse(
  gunzipSync(readFileSync(new URL('histories.json.gz', import.meta.url))).toString('utf8'),
) as Readonly<Record<string, object>>;
const names = Object.keys(histories);

const SOURCES = fileURLToPath(new URL('../../src/workflows/', import.meta.url));

describe('recorded histories', () => {
  it('are there for every kind of workflow', () => {
    expect(names).toEqual(
      expect.arrayContaining(['tree', 'tree/budget', 'tree/0', 'tree/0.1', 'analysis', 'turns/0~1']),
    );
  });

  it.each([
    ['as it is now', []],
    // Workers with and without traces take up each other's runs.
    ['while it is traced', [join(SOURCES, 'trace-interceptors.ts')]],
  ])(
    'are replayed by the workflow code %s',
    async (_, workflowInterceptorModules) => {
      const workflowBundle = await bundleWorkflowCode({
        workflowsPath: join(SOURCES, 'index.ts'),
        workflowInterceptorModules,
        logger: new DefaultLogger('ERROR'),
      });
      const recorded = Object.entries(histories).map(([name, history]) => ({
        workflowId: name.replace(/~\d+$/, ''),
        history: historyFromJSON(history),
      }));
      const sinks = { trace: { span: { fn: () => undefined } } };
      const failed: string[] = [];
      let replayed = 0;
      for await (const result of Worker.runReplayHistories({ workflowBundle, sinks }, recorded)) {
        replayed += 1;
        if (result.error !== undefined) failed.push(`${result.workflowId}: ${result.error.message}`);
      }
      expect(failed).toEqual([]);
      expect(replayed).toBe(names.length);
    },
    120_000,
  );
});

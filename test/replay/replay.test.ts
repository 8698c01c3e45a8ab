import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { sized } from '../sizes.ts';

/** By workflow id; executions after the first have `~1`, `~2`, ... behind it. */
const histories = JSON.parse(
  gunzipSync(readFileSync(new URL('histories.json.gz', import.meta.url))).toString('utf8'),
) as Readonly<Record<string, object>>;
const names = Object.keys(histories);

/** Brought up to date before any test. */
const bundle = (name: string): string => fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url));

describe('recorded histories', () => {
  it('are there for every kind of workflow', () => {
    expect(names).toEqual(
      expect.arrayContaining(['tree', 'tree/budget', 'tree/0', 'tree/0.1', 'analysis', 'turns/0~1']),
    );
  });

  it.each([
    ['as it is now', bundle('workflow-bundle'), sized(/^(?!.*(?:\/0\.[3-9]|~[3-9]))/, /^/)],
    // Workers with and without traces take up each other's runs.
    [
      'while it is traced',
      bundle('workflow-bundle-traced'),
      sized(/^(?:tree|analysis|turns)\b(?!.*(?:\/0\.[2-9]|~[2-9]))/, /^/),
    ],
  ])(
    'are replayed by the workflow code %s',
    async (_, codePath, which) => {
      // Siblings, and later executions of an agent, go the same way as those before them.
      const chosen = Object.entries(histories).filter(([name]) => which.test(name));
      const recorded = chosen.map(([name, history]) => ({
        workflowId: name.replace(/~\d+$/, ''),
        history: historyFromJSON(history),
      }));
      const sinks = { trace: { span: { fn: () => undefined } } };
      const failed: string[] = [];
      let replayed = 0;
      for await (const result of Worker.runReplayHistories({ workflowBundle: { codePath }, sinks }, recorded)) {
        replayed += 1;
        if (result.error !== undefined) failed.push(`${result.workflowId}: ${result.error.message}`);
      }
      expect(failed).toEqual([]);
      expect(replayed).toBe(chosen.length);
      expect(replayed).toBeGreaterThanOrEqual(sized(10, names.length));
    },
    120_000,
  );
});

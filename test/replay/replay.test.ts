import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('histories', import.meta.url));
const histories = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));

let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
});

describe('recorded histories', () => {
  it('are there for every kind of workflow', () => {
    expect(histories.some((name) => name.includes('-ledger'))).toBe(true);
    expect(histories.some((name) => name.endsWith('-0.json'))).toBe(true);
    expect(histories.some((name) => basename(name) === 'tree.json')).toBe(true);
  });

  it('are replayed by the workflow code as it is now', async () => {
    const recorded = histories.map((name) => ({
      workflowId: basename(name, '.json').replaceAll('-', '/'),
      history: historyFromJSON(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
    }));
    const failed: string[] = [];
    let replayed = 0;
    for await (const result of Worker.runReplayHistories({ workflowBundle }, recorded)) {
      replayed += 1;
      if (result.error !== undefined) failed.push(`${result.workflowId}: ${result.error.message}`);
    }
    expect(failed).toEqual([]);
    expect(replayed).toBe(histories.length);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('histories', import.meta.url));
const histories = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));

const SOURCES = fileURLToPath(new URL('../../src/workflows/', import.meta.url));

describe('recorded histories', () => {
  it('are there for every kind of workflow', () => {
    expect(histories.some((name) => name.includes('-budget'))).toBe(true);
    expect(histories.some((name) => name.endsWith('-0.json'))).toBe(true);
    expect(histories.some((name) => basename(name) === 'tree.json')).toBe(true);
  });

  it.each([
    ['as it is now', []],
    // Workers with and without traces take up each other's runs.
    ['while it is traced', [join(SOURCES, 'trace-interceptors.ts')]],
  ])('are replayed by the workflow code %s', async (_, workflowInterceptorModules) => {
    const workflowBundle = await bundleWorkflowCode({
      workflowsPath: join(SOURCES, 'index.ts'),
      workflowInterceptorModules,
      logger: new DefaultLogger('ERROR'),
    });
    const recorded = histories.map((name) => ({
      // Of the executions of one workflow those after the first have a number.
      workflowId: basename(name, '.json').replace(/~\d+$/, '').replaceAll('-', '/'),
      history: historyFromJSON(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
    }));
    const sinks = { trace: { span: { fn: () => undefined } } };
    const failed: string[] = [];
    let replayed = 0;
    for await (const result of Worker.runReplayHistories({ workflowBundle, sinks }, recorded)) {
      replayed += 1;
      if (result.error !== undefined) failed.push(`${result.workflowId}: ${result.error.message}`);
    }
    expect(failed).toEqual([]);
    expect(replayed).toBe(histories.length);
  });
});

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { forTask, withCode } from '../../src/testing/index.ts';
import { reportRun } from '../../src/client/report-run.ts';
import type { RunOutcome } from '../../src/domain/records.ts';
import { createTemporalRuns } from '../../src/client/temporal-runs.ts';
import { createWorld, TASK_QUEUE, type World } from './world.ts';

/**
 * Every command in docs/temporal-cli.md is run as it stands there, in order, with Temporal's own command line; what is
 * shown below it must be in what it prints. `UPDATE_DOCS=1` writes all that it prints there, to be shortened by hand:
 * a line `...` stands for any lines, `…` for anything in a line.
 */
const PAGE = fileURLToPath(new URL('../../docs/temporal-cli.md', import.meta.url));
/** Where the page has the repository. */
const REPOSITORY = '/srv/repositories/shop';
const TIMEOUT_MS = 20_000;

let world: World;
let release!: () => void;
beforeAll(async () => {
  const released = new Promise<void>((resolve) => (release = resolve));
  world = await createWorld('local');
  const model = await world.startModel({
    scripts: [
      forTask('Fix the TODO', [
        withCode('where = rlm_query("Find the TODO and say where it is")', 'A sub-agent looks for it.'),
        () =>
          released.then(() =>
            withCode('print(edit_file("pkg/a.py", "return 1  # TODO: return two", "return 2"))\nFINAL(where)'),
          ),
        withCode('import os\nFINAL(len(os.listdir("pkg")))'),
      ]),
      forTask('Find the TODO', [withCode('FINAL(open("pkg/a.py").read().split("\\n")[1].strip())')]),
      forTask('Wait for ever', [{ hang: true }]),
      forTask('warmest', [withCode('SUBMIT(warmest=max(cities, key=len))')]),
      forTask('Count the files', [withCode('import os\nFINAL(len(os.listdir("pkg")))')]),
    ],
  });
  const rlm = { max_sandboxes: 20 };
  await world.startWorker({
    config: {
      rlm,
      model: { name: 'openai/scripted', base_url: model.url },
      worker: { allow: { folders: [world.folder] } },
    },
  });
});
afterAll(async () => {
  await world.close();
});

interface Example {
  readonly command: string;
  /** As the page shows it. */
  readonly shown: readonly string[];
}

/** Blocks of the page that begin with `$`. */
function examples(page: string): Example[] {
  return [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const lines = text.trimEnd().split('\n');
        const end = lines.findIndex((line) => !line.endsWith('\\'));
        return { command: lines.slice(0, end + 1).join('\n'), shown: lines.slice(end + 1) };
      }),
  );
}

function run(command: string): Promise<string> {
  const env = {
    PATH: `${join(world.server.executable, '..')}:${process.env['PATH']}`,
    HOME: world.folder,
    TEMPORAL_ADDRESS: world.server.address,
    TEMPORAL_NAMESPACE: world.server.namespace,
  };
  const real = command.replaceAll(REPOSITORY, world.repository);
  return new Promise((resolve) => {
    execFile('sh', ['-c', `${real} 2>&1`], { env, maxBuffer: 2 ** 26 }, (_error, stdout) =>
      resolve(stdout.replaceAll(world.repository, REPOSITORY)),
    );
  });
}

/** What differs each time, and how columns are padded. */
function comparable(line: string): string {
  return line
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replaceAll(/\b[0-9a-f]{12,64}\b/g, '<hash>')
    .replaceAll(/[A-Za-z0-9_-]{43}/g, '<hash>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\d+@[\w.-]+/g, '<worker>')
    .replaceAll(/(less than a second|[\d.]+ \w+|now) (ago|from now)/g, '<when>')
    .replaceAll(/\b([\d.]+(ms|[smh]))+\b/g, '<duration>')
    .replaceAll(/[\d.]+/g, '#')
    .replaceAll(/[-─]{3,}/g, '---')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The first line of the page that the output does not have, in order. */
function missingLine(shown: readonly string[], output: string): string | undefined {
  const lines = output.split('\n').map(comparable);
  let from = 0;
  for (const line of shown.map(comparable)) {
    if (line === '...' || line === '#' || line === '') continue;
    // `…` stands for anything in a line.
    const parts = line.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const wanted = new RegExp(`^${parts.join('.*')}$`);
    const found = lines.findIndex((each, at) => at >= from && wanted.test(each));
    if (found === -1) return line;
    from = found + 1;
  }
  return undefined;
}

/** The run that waits for a person has asked. */
async function untilAsked(question: string): Promise<void> {
  const status = 'temporal workflow query --workflow-id careful --name status --output json';
  await vi.waitFor(async () => expect(await run(status)).toContain(`"${question}"`), TIMEOUT_MS);
}

const CHANGES =
  /temporal (workflow (start|execute|signal|update|cancel|reset|terminate)|schedule (create|trigger|toggle|delete))/;

it('every command of docs/temporal-cli.md does what the page shows', { timeout: 180_000 }, async () => {
  const page = readFileSync(PAGE, 'utf8');
  const update = process.env['UPDATE_DOCS'] !== undefined;
  let updated = page;
  const found = examples(page);
  expect(found.length).toBeGreaterThan(20);
  for (const { command, shown } of found) {
    if (command.includes('workflow result --workflow-id fix-todo')) release();
    // oxlint-disable-next-line no-await-in-loop -- in the order of the page
    if (/--name (approve|reject)/.test(command)) await untilAsked(command.includes('patch') ? 'patch' : '0/1.1');
    let output = '';
    const attempt = async (): Promise<void> => {
      output = await run(command);
      if (!update) expect(missingLine(shown, output), `${command}\n\n${output}`).toBeUndefined();
    };
    // What only reads is asked again until the run is where the page has it.
    // oxlint-disable-next-line no-await-in-loop -- in the order of the page
    await (CHANGES.test(command) || update ? attempt() : vi.waitFor(attempt, { timeout: TIMEOUT_MS, interval: 200 }));
    if (update) {
      await delay(2500);
      const block = [`$ ${command}`, ...shown].join('\n');
      updated = updated.replace(block, () => `$ ${command}\n${output.trimEnd()}`);
    }
  }
  if (update) writeFileSync(PAGE, updated);
  // The program sees the same: after a reset the new outcome, of one that was terminated that it was.
  const runs = createTemporalRuns({ client: world.client, taskQueue: TASK_QUEUE });
  const statusOf = async (id: string): Promise<unknown> => {
    const report = await reportRun({ blobs: world.blobs, runs }, id);
    return [report?.status, report?.snapshot?.run.outcome?.answer ?? null];
  };
  expect(await statusOf('fix-todo')).toEqual(['completed', 'return 1  # TODO: return two']);
  // Its sub-agent did not work again, and still counts.
  const outcome = (await world.client.workflow.result('fix-todo')) as RunOutcome;
  expect(outcome).toMatchObject({ agents: 2, sandboxes: 2, usage: { llm_calls: 3 } });
  expect(await statusOf('stop-me')).toEqual(['cancelled', null]);
  expect(await statusOf('end-me')).toEqual(['terminated', null]);
});

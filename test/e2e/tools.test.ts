import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { RunDocument } from '../../src/results/run-document.ts';
import {
  killSwitchEnvironment,
  startScriptedModel,
  withCode,
  type PlannedKill,
  type ScriptedModel,
} from '../../src/testing/index.ts';
import { createDesk, says, type Desk, type Finished } from './command.ts';

vi.setConfig({ testTimeout: 120_000 });

const SERVER = fileURLToPath(new URL('../tools/mcp-server.ts', import.meta.url));
/** Each call adds a line to the file: what is done twice shows. */
const TOOLS = `import { appendFileSync } from 'node:fs';
import { tool } from 'durable-rlm';
import { z } from 'zod';

export const note = tool({
  description: 'Writes a line.',
  parameters: z.object({ line: z.string(), times: z.int().default(1) }),
  run: ({ line, times }: { line: string; times: number }) => {
    appendFileSync('notes.txt', (line + '\\n').repeat(times));
    return { line, length: line.length };
  },
});
`;

const desks: Desk[] = [];
let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel({
    scripts: ({ turn }) =>
      turn === 0
        ? withCode('import inspect\nfound = search(query="é", limit=2)\nprint(inspect.signature(note), found)')
        : withCode(
            'notes = [note(line) for line in lines]\nbad = note(3)\nSUBMIT(notes=notes, found=found, bad=bad, fails=fails())',
          ),
  });
});
afterAll(async () => {
  await Promise.all(desks.map((desk) => desk.close()));
  await model.close({ check: false });
});

/** Each has workers and notes of its own. */
async function deskWithTools(): Promise<Desk> {
  const desk = await createDesk();
  desks.push(desk);
  const configuration = {
    model: { name: 'scripted', base_url: model.url },
    tools: { files: ['tools.ts'], mcp: { library: { command: process.execPath, args: [SERVER] } } },
  };
  writeFileSync(join(desk.folder, 'tools.yaml'), JSON.stringify(configuration));
  writeFileSync(join(desk.folder, 'tools.ts'), TOOLS);
  return desk;
}

it.concurrent('tools of modules and MCP servers are called once each, whatever is killed meanwhile', async () => {
  const desk = await deskWithTools();
  const signature = 'lines: list[str] -> notes: list, found: str, bad: str, fails: str';
  const lines = '["one", "two", "three", "four"]';
  const command = ['analyze', '-s', signature, '-i', `lines=${lines}`, '--id', 'noted', '--json', '-c', 'tools.yaml'];
  // In the second the tool has returned, and nobody knows: it is called again, all others are not.
  const kills: PlannedKill[] = [
    { point: 'tool.recorded', after: 2 },
    { point: 'tool.returned', after: 1 },
  ];
  const plan = join(desk.folder, 'kills.json');
  writeFileSync(plan, JSON.stringify(kills));
  let finished: Finished | undefined;
  for (let attempt = 0; attempt <= kills.length && finished?.code !== 0; attempt += 1)
    finished = await desk.run(command, killSwitchEnvironment(plan));
  expect(JSON.parse(readFileSync(plan, 'utf8'))).toEqual([]);
  const { status, answer } = JSON.parse(String(finished?.stdout)) as RunDocument;
  expect(status).toBe('completed');
  expect(answer).toMatchObject({
    notes: [
      { length: 3, line: 'one' },
      { length: 3, line: 'two' },
      { length: 5, line: 'three' },
      { length: 4, line: 'four' },
    ],
    found: '{"query":"é","limit":2}',
    bad: expect.stringMatching(/^Error: note: line: .*string/s),
    fails: expect.stringContaining('no rows'),
  });
  const written = readFileSync(join(desk.folder, 'notes.txt'), 'utf8').trim().split('\n');
  expect(new Set(written)).toEqual(new Set(['one', 'two', 'three', 'four']));
  expect(written.length).toBeLessThanOrEqual(5);
  await vi.waitFor(async () => expect(await desk.leftovers()).toEqual([]), { timeout: 30_000, interval: 500 });
});

it.concurrent('a worker without the tools leaves the call to one that has them', async () => {
  const desk = await deskWithTools();
  const bare = join(desk.folder, 'bare.yaml');
  writeFileSync(bare, JSON.stringify({ model: { name: 'scripted', base_url: model.url } }));
  const signature = 'lines: list[str] -> notes: list, found: str, bad: str, fails: str';
  const command = [
    'analyze',
    '-s',
    signature,
    '-i',
    'lines=["five"]',
    '--id',
    'elsewhere',
    '--no-worker',
    '--json',
    '-c',
    'tools.yaml',
  ];
  const without = desk.start(['up', '-c', bare]);
  await says(without, /Working on task queue/);
  const run = desk.start(command);
  await says(run, /has no tool search/);
  process.kill(without.pid, 'SIGTERM');
  await without.finished;
  const having = desk.start(['up', '-c', 'tools.yaml']);
  const { code, stdout } = await run.finished;
  expect(code).toBe(0);
  expect(JSON.parse(stdout.toString())).toMatchObject({ answer: { notes: [{ line: 'five' }] } });
  expect(existsSync(join(desk.folder, 'notes.txt'))).toBe(true);
  process.kill(having.pid, 'SIGTERM');
  await having.finished;
});

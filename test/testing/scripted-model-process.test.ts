import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spawnScriptedModel, type ScriptedModelProcess } from '../../src/testing/index.ts';

let folder: string;
let model: ScriptedModelProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scripted-model-'));
});

afterEach(async () => {
  await model?.close();
  model = undefined;
  await rm(folder, { recursive: true });
});

async function script(text: string): Promise<string> {
  const path = join(folder, 'script.mjs');
  await writeFile(path, text);
  return path;
}

async function ask(url: string, content: string): Promise<string> {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }),
  });
  return response.text();
}

describe('the scripted model as a process', () => {
  it('plays a module, logs each call and tells its counts', async () => {
    const logFile = join(folder, 'calls.jsonl');
    model = await spawnScriptedModel({
      script: await script('export default ({ last }) => `heard ${last}`;'),
      latencyMs: 0,
      logFile,
    });
    expect(await ask(model.url, 'one')).toContain('heard one');
    expect(await ask(model.url, 'one')).toContain('heard one');
    expect(await model.summary()).toMatchObject({ calls: 2, answered: 2, paidTwice: 1, unscripted: [] });
    expect((await model.calls()).map((call) => call.task)).toEqual(['one', 'one']);
    await model.close();
    const lines = (await readFile(logFile, 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).outcome)).toEqual(['answered', 'answered']);
  });

  it('says why it did not start', async () => {
    await expect(spawnScriptedModel({ script: await script('export const x = 1;') })).rejects.toThrow(
      'has no default export',
    );
  });

  it('ends by itself when nobody asks any more', async () => {
    const started = await spawnScriptedModel({ script: await script('export default () => "";'), idleExit: 0 });
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x' }] });
    await fetch(`${started.url}/chat/completions`, { method: 'POST', body });
    await started.exited;
  });
});

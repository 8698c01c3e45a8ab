import { exec } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDesk, type Desk, type RunningCommand } from '../e2e/command.ts';

const WAIT = { timeout: 30_000, interval: 50 };

describe('rlm up', { timeout: 60_000 }, () => {
  let desk: Desk;
  beforeEach(async () => {
    desk = await createDesk();
  });
  afterEach(() => desk.close());

  /** `rlm up`, once it works. */
  const up = async (args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<RunningCommand> => {
    const command = desk.start(['up', ...args], env);
    await vi.waitFor(() => expect(command.stderr()).toContain('Working on task queue'), WAIT);
    return command;
  };
  /** The line that it prints for Temporal's own command line. */
  const printed = (stderr: string): string => /^Temporal's own command line: (.*)$/m.exec(stderr)?.[1] ?? '';
  const type = async (line: string): Promise<string> =>
    (await promisify(exec)(line, { cwd: desk.folder, env: desk.env })).stdout;

  it('prints the line with which its owner lists and starts workflows', async () => {
    const command = await up();
    const line = printed(command.stderr());
    expect(line).toBe('temporal --profile durable-rlm workflow list');
    expect(await type(line)).toBe('');
    const start =
      'workflow start --type investigate --task-queue durable-rlm --workflow-id by-hand --input \'{"repo": ""}\'';
    await type(`temporal --profile durable-rlm ${start}`);
    expect(await type(line)).toContain('by-hand');
    // And so does our own.
    expect((await desk.run(['list', '--profile', 'durable-rlm'])).code).toBe(0);
  });

  it('in the background prints it too', async () => {
    const { code, stderr } = await desk.run(['up', '--detach']);
    expect(code).toBe(0);
    expect(await type(printed(stderr))).toBe('');
    expect((await desk.run(['down'])).code).toBe(0);
  });

  it('of another state folder leads to its own server, and leaves the first profile alone', async () => {
    const first = await up();
    const file = join(desk.folder, '.config', 'temporalio', 'temporal.toml');
    const before = readFileSync(file, 'utf8');
    const other = { DURABLE_RLM_STATE: join(desk.folder, 'other') };
    const second = await up([], other);
    expect(printed(first.stderr())).toBe('temporal --profile durable-rlm workflow list');
    const line = printed(second.stderr());
    expect(line).toMatch(/^temporal --profile durable-rlm-[0-9a-f]{8} workflow list$/);
    expect(readFileSync(file, 'utf8')).toContain(before);
    await type(`${line.replace('list', 'start')} --type any --task-queue nobody --workflow-id of-the-second`);
    expect(await type(line)).toContain('of-the-second');
    expect(await type(printed(first.stderr()))).toBe('');
    await desk.run(['down', '--force'], other);
  });

  it('names the address where the profile cannot be written', async () => {
    mkdirSync(join(desk.folder, '.config', 'temporalio'), { recursive: true });
    const file = join(desk.folder, '.config', 'temporalio', 'temporal.toml');
    writeFileSync(file, 'profile.durable-rlm.address = "unix:///gone"\n');
    const command = await up();
    expect(printed(command.stderr())).toMatch(/^temporal --address unix:\/\/\S+ --namespace default workflow list \(/);
    expect(command.stderr()).toContain(`${file} was left as it is: `);
  });

  it('serves the web interface with --ui only, to anybody who has the link', async () => {
    const command = await up(['--ui']);
    const link = /http:\/\/\S+/.exec(command.stderr())?.[0] ?? '';
    const opened = await fetch(link);
    expect(opened.status).toBe(200);
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await (await fetch(new URL('/', link), { headers: { cookie } })).text()).toContain('<!doctype html>');
    expect((await fetch(new URL('/', link))).status).toBe(403);
  });

  it('does not with the server of somebody else', async () => {
    const { code, stderr } = await desk.run(['up', '--ui', '--address', '127.0.0.1:1']);
    expect(code).toBe(2);
    expect(stderr).toContain('does not answer');
    expect((await desk.run(['up', '--ui', '--detach'])).code).toBe(2);
  });
});

import { exec } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDesk, says, type Desk, type RunningCommand } from '../e2e/command.ts';
import { itLong } from '../sizes.ts';
import { runHere } from './in-process.ts';

describe('rlm up', { timeout: 120_000 }, () => {
  let desk: Desk;
  let first: RunningCommand;
  const desks: Desk[] = [];
  beforeAll(async () => {
    desk = await anotherDesk();
    first = await up(['--ui']);
  });
  afterAll(async () => {
    await Promise.all(desks.map((each) => each.close()));
  });

  const anotherDesk = async (): Promise<Desk> => {
    const another = await createDesk();
    desks.push(another);
    return another;
  };
  /** `rlm up`, once it works. */
  const up = async (args: readonly string[] = [], on = desk): Promise<RunningCommand> => {
    const command = on.start(['up', ...args]);
    await says(command, /Working on task queue/);
    return command;
  };
  /** The line that it prints for Temporal's own command line. */
  const printed = (stderr: string): string => /^Temporal's own command line: (.*)$/m.exec(stderr)?.[1] ?? '';
  const type = async (line: string): Promise<string> =>
    (await promisify(exec)(line, { cwd: desk.folder, env: desk.env })).stdout;

  it('prints the line with which its owner lists and starts workflows', async () => {
    const line = printed(first.stderr());
    expect(line).toBe('temporal --profile durable-rlm workflow list');
    expect(await type(line)).toBe('');
    const start =
      'workflow start --type investigate --task-queue durable-rlm --workflow-id by-hand --input \'{"repo": ""}\'';
    await type(`temporal --profile durable-rlm ${start}`);
    expect(await type(line)).toContain('by-hand');
    // And so does our own.
    expect((await desk.run(['list', '--profile', 'durable-rlm'])).code).toBe(0);
  });

  it('of another state folder leads to its own server, in the background too, and leaves the first profile alone', async () => {
    const file = join(desk.folder, '.config', 'temporalio', 'temporal.toml');
    const before = readFileSync(file, 'utf8');
    const other = { DURABLE_RLM_STATE: join(desk.folder, 'other') };
    const second = await desk.run(['up', '--detach'], other);
    expect(second.code).toBe(0);
    const line = printed(second.stderr);
    expect(line).toMatch(/^temporal --profile durable-rlm-[0-9a-f]{8} workflow list$/);
    expect(readFileSync(file, 'utf8')).toContain(before);
    expect(await type(line)).toBe('');
    await type(`${line.replace('list', 'start')} --type any --task-queue nobody --workflow-id of-the-second`);
    expect(await type(line)).toContain('of-the-second');
    expect(await type(printed(first.stderr()))).not.toContain('of-the-second');
    expect((await desk.run(['down', '--force'], other)).code).toBe(0);
  });

  itLong('starts the server again with the profile that it wrote', async () => {
    const another = await anotherDesk();
    expect((await another.run(['up', '--detach'])).code).toBe(0);
    expect((await another.run(['down', '--force'])).code).toBe(0);
    const withProfile = { TEMPORAL_PROFILE: 'durable-rlm' };
    const again = await another.run(['up', '--detach'], withProfile);
    expect([again.code, again.stderr]).toEqual([
      0,
      expect.stringContaining('on the embedded server is in the background'),
    ]);
    expect((await another.run(['down', '--force'], withProfile)).code).toBe(0);
  });

  it('names the address where the profile cannot be written', async () => {
    const another = await anotherDesk();
    mkdirSync(join(another.folder, '.config', 'temporalio'), { recursive: true });
    const file = join(another.folder, '.config', 'temporalio', 'temporal.toml');
    writeFileSync(file, 'profile.durable-rlm.address = "unix:///gone"\n');
    const command = await up([], another);
    expect(printed(command.stderr())).toMatch(/^temporal --address unix:\/\/\S+ --namespace default workflow list \(/);
    expect(command.stderr()).toContain(`${file} was left as it is: `);
  });

  it('serves the web interface with --ui only, to anybody who has the link', async () => {
    const link = /http:\/\/\S+/.exec(first.stderr())?.[0] ?? '';
    const opened = await fetch(link);
    expect(opened.status).toBe(200);
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await (await fetch(new URL('/', link), { headers: { cookie } })).text()).toContain('<!doctype html>');
    expect((await fetch(new URL('/', link))).status).toBe(403);
  });

  it('does not with the server of somebody else', async () => {
    const [elsewhere, detached] = await Promise.all([
      runHere(desk, ['up', '--ui', '--address', '127.0.0.1:1']),
      runHere(desk, ['up', '--ui', '--detach']),
    ]);
    expect(elsewhere.code).toBe(2);
    expect(elsewhere.stderr).toContain('does not answer');
    expect(detached.code).toBe(2);
  });

  describe('whose server hangs', () => {
    const hung = async (work: (pid: number) => Promise<void>): Promise<void> => {
      const record = join(desk.state, 'temporal.db.server', 'server.json');
      const { pid } = (JSON.parse(readFileSync(record, 'utf8')) as { process: { pid: number } }).process;
      process.kill(-pid, 'SIGSTOP');
      try {
        await work(pid);
      } finally {
        process.kill(-pid, 'SIGCONT');
      }
    };

    it('a command says within seconds what it waits for and what to do, and continues when the server does', async () => {
      let waiting: RunningCommand | undefined;
      await hung(async (pid) => {
        waiting = desk.start(['delete', 'nobody']);
        await says(waiting, new RegExp(`Waiting for the Temporal server \\(pid ${pid}\\) of .*rlm down --force ends`));
      });
      const { code, stderr } = (await waiting?.finished) ?? { code: null, stderr: '' };
      expect(stderr).toContain('There is no run "nobody"');
      expect(code).toBe(2);
    });

    itLong('it gives up, in a sentence', async () => {
      await hung(async (pid) => {
        const { code, stderr } = await runHere(desk, ['delete', 'nobody']);
        expect(stderr).toMatch(
          new RegExp(`^rlm: A Temporal server \\(pid ${pid}\\) holds .* but does not answer`, 'm'),
        );
        expect(code).toBe(2);
      });
    });
  });
});

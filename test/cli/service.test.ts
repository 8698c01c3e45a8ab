import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemdUnit } from '../../src/cli/systemd-unit.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let home: string;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'rlm-service-'));
  // There is no session of systemd here: it writes down what it is asked.
  const bin = join(home, 'bin');
  mkdirSync(bin);
  writeFileSync(
    join(bin, 'systemctl'),
    `#!/bin/sh\necho "$@" >>${home}/asked\n[ "$2" != show ] || cat ${home}/shown\n[ ! -e ${home}/absent ]\n`,
  );
  chmodSync(join(bin, 'systemctl'), 0o755);
  env = { HOME: home, PATH: [bin, process.env['PATH']].join(delimiter), DURABLE_RLM_STATE: join(home, 'my state') };
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

function rlm(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'service', ...args], {
    cwd: home,
    env,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

const unit = (): string => join(home, '.config', 'systemd', 'user', 'durable-rlm.service');
const asked = (): string[] => readFileSync(join(home, 'asked'), 'utf8').trim().split('\n');

it('installs rlm up as a service, with a place for keys that only its user can read', () => {
  writeFileSync(join(home, 'other.yaml'), 'rlm: {max_cost: 1}\n');
  const { code, stderr } = rlm('install', '-c', 'other.yaml');
  expect(stderr).toContain('loginctl enable-linger');
  expect(code).toBe(0);
  const text = readFileSync(unit(), 'utf8');
  expect(text).toContain(`"up" "--quiet" "--config" "${join(home, 'other.yaml')}"`);
  expect(text).toContain(`Environment="DURABLE_RLM_STATE=${join(home, 'my state')}"`);
  expect(text).toContain('Restart=always');
  expect(asked()).toEqual([
    '--user show-environment',
    '--user daemon-reload',
    '--user enable durable-rlm.service',
    '--user restart durable-rlm.service',
  ]);
  expect(statSync(join(home, '.config', 'durable-rlm', 'environment')).mode & 0o077).toBe(0);
  // systemd itself finds nothing wrong with it, where there is one.
  const verified = spawnSync('systemd-analyze', ['verify', '--user', unit()], { encoding: 'utf8' });
  expect(verified.error === undefined ? verified.stderr : '').not.toContain('durable-rlm.service:');
});

it('says what is installed, whether it runs, and where its log is', () => {
  const shown = (lines: Readonly<Record<string, string>>): void =>
    writeFileSync(
      join(home, 'shown'),
      Object.entries({ UnitFileState: 'enabled', Result: 'success', ...lines })
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
  shown({ ActiveState: 'active', SubState: 'running', MainPID: '4711', ActiveEnterTimestamp: 'Mon 2026-11-30 CET' });
  const up = rlm('status');
  expect([up.code, up.stdout, up.stderr]).toEqual([
    0,
    `installed  ${unit()}; it starts after each login
state      runs, as process 4711 since Mon 2026-11-30 CET
log        journalctl --user -u durable-rlm.service
`,
    '',
  ]);
  expect(asked().at(-1)).toMatch(/^--user show durable-rlm\.service --property=ActiveState --property=SubState /);
  shown({ ActiveState: 'failed', SubState: 'failed', MainPID: '0', Result: 'exit-code', UnitFileState: 'disabled' });
  const failed = rlm('status');
  expect(failed.stdout).toContain('it does not start by itself: rlm service install');
  expect(failed.stdout).toContain(
    'does not run (failed, failed, exit-code): systemctl --user restart durable-rlm.service',
  );
  expect(failed.code).toBe(1);
  const document = rlm('status', '--json');
  expect(JSON.parse(document.stdout)).toMatchObject({ installed: true, enabled: false, running: false, pid: null });
  expect(document.code).toBe(1);
});

it('removes it, and says so where there is none', () => {
  const { code, stderr } = rlm('remove');
  expect(stderr).toContain('The service is removed');
  expect(code).toBe(0);
  expect(asked().slice(-2)).toEqual(['--user disable --now durable-rlm.service', '--user daemon-reload']);
  expect(existsSync(unit())).toBe(false);
  expect(rlm('remove').stderr).toContain('There is no service');
  const { code: stands, stderr: none } = rlm('status');
  expect(none).toContain(`There is no service: ${unit()} does not exist. rlm service install makes it.`);
  expect(stands).toBe(1);
});

it('without systemd it changes nothing and says what to do; the unit can be had all the same', () => {
  writeFileSync(join(home, 'absent'), '');
  const { code, stderr } = rlm('install');
  expect(stderr).toContain('A service needs systemd with a session of yours');
  expect(code).toBe(2);
  expect(existsSync(unit())).toBe(false);
  expect(rlm('install', '--print').stdout).toContain('[Service]\nType=exec\nExecStart=');
});

it('a path may hold anything', () => {
  const text = systemdUnit({
    command: ['/opt/my node', '/x/50%/"$HOME"\\main.js'],
    folder: '/state/100%',
    environment: { PATH: '/a:/b c' },
    environmentFile: '/home/x/env',
  });
  expect(text).toContain(String.raw`ExecStart="/opt/my node" "/x/50%%/\"$$HOME\"\\main.js"`);
  expect(text).toContain('WorkingDirectory=/state/100%%');
  expect(text).toContain('Environment="PATH=/a:/b c"');
});

import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeCliProfile } from '../../src/temporal/cli-profile.ts';
import { temporaryFolder } from './fixtures.ts';

/** Files that exist, in the place of sockets. */
function servers(): { readonly one: string; readonly other: string; readonly gone: string } {
  const folder = temporaryFolder();
  for (const name of ['one', 'other']) writeFileSync(join(folder, name), '');
  const address = (name: string): string => `unix://${join(folder, name)}`;
  return { one: address('one'), other: address('other'), gone: address('gone') };
}

function configFile(text?: string): {
  readonly env: NodeJS.ProcessEnv;
  readonly file: string;
  readonly read: () => string;
} {
  const file = join(temporaryFolder(), 'temporalio', 'temporal.toml');
  if (text !== undefined) {
    mkdirSync(dirname(file));
    writeFileSync(file, text);
  }
  return { env: { TEMPORAL_CONFIG_FILE: file }, file, read: () => readFileSync(file, 'utf8') };
}

const namespace = 'default';

describe("the profile for Temporal's command line", () => {
  test('makes the file where there is none, closed to others', () => {
    const { one } = servers();
    const { env, file, read } = configFile();
    expect(writeCliProfile({ address: one, namespace }, env)).toEqual({ kind: 'ready', name: 'durable-rlm', file });
    expect(read()).toBe(`[profile.durable-rlm]\naddress = "${one}"\nnamespace = "default"\n`);
    expect([file, dirname(file)].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o700]);
  });

  test.each([
    ['XDG_CONFIG_HOME', (folder: string) => ({ XDG_CONFIG_HOME: join(folder, 'config') }), 'config'],
    ['HOME', (folder: string) => ({ HOME: folder }), '.config'],
    ['HOME, where XDG_CONFIG_HOME is no path', (folder: string) => ({ HOME: folder, XDG_CONFIG_HOME: 'x' }), '.config'],
  ])('lies where %s says', (_, env, below) => {
    const folder = temporaryFolder();
    writeCliProfile({ address: servers().one, namespace }, env(folder));
    expect(existsSync(join(folder, below, 'temporalio', 'temporal.toml'))).toBe(true);
  });

  test('leaves every other line as it is', () => {
    const { one } = servers();
    const before =
      '# mine\n[profile.default]\naddress = "a:1" # of the team\nunknown = 2001-01-01\n\n[profile.default.tls]\nserver_name = "x"';
    const { env, read } = configFile(before);
    writeCliProfile({ address: one, namespace }, env);
    expect(read()).toBe(`${before}\n\n[profile.durable-rlm]\naddress = "${one}"\nnamespace = "default"\n`);
  });

  test('is not written again when it is right', () => {
    const { one } = servers();
    const { env, file, read } = configFile(`[profile.durable-rlm]\nnamespace="default"\naddress='${one}' # mine\n`);
    const before = [read(), statSync(file).ino];
    expect(writeCliProfile({ address: one, namespace }, env)).toMatchObject({ kind: 'ready', name: 'durable-rlm' });
    expect([read(), statSync(file).ino]).toEqual(before);
  });

  test.each(['[profile.durable-rlm]', '[profile."durable-rlm"] # mine', '  [ profile . durable-rlm ]'])(
    'of a server that is gone is taken over, with what else it holds: %s',
    (header) => {
      const { one, gone } = servers();
      const { env, read } = configFile(
        `${header}\ncodec = {endpoint = "x"}\naddress = "${gone}"\n[profile.z]\naddress = "b:1"\n`,
      );
      expect(writeCliProfile({ address: one, namespace }, env)).toMatchObject({ name: 'durable-rlm' });
      expect(read()).toBe(
        `${header}\naddress = "${one}"\nnamespace = "default"\ncodec = {endpoint = "x"}\n[profile.z]\naddress = "b:1"\n`,
      );
    },
  );

  test.each([
    ['another server that exists', ({ other }: ReturnType<typeof servers>) => `address = "${other}"`],
    ['a server somewhere else', () => 'address = "cloud.example:7233"'],
    ['another namespace', ({ one }: ReturnType<typeof servers>) => `address = "${one}"\nnamespace = "mine"`],
  ])('that leads to %s stays, and the next has a name of its own, always the same', (_, lines) => {
    const places = servers();
    const { env, read } = configFile(`[profile.durable-rlm]\n${lines(places)}\n`);
    const before = read();
    const first = writeCliProfile({ address: places.one, namespace }, env);
    expect(first).toMatchObject({ kind: 'ready', name: expect.stringMatching(/^durable-rlm-[0-9a-f]{8}$/) });
    expect(read()).toContain(before);
    const after = read();
    expect(writeCliProfile({ address: places.one, namespace }, env)).toEqual(first);
    expect(read()).toBe(after);
  });

  test.each([
    ['is no TOML', () => '= no toml'],
    ['has the profile in keys with dots', (gone: string) => `profile.durable-rlm.address = "${gone}"\n`],
    ['has the profile in one line', (gone: string) => `[profile]\ndurable-rlm = {address = "${gone}"}\n`],
    [
      'has what looks like it in a text',
      (gone: string) => `note = """\n[profile.durable-rlm]\n"""\nprofile.durable-rlm.address = "${gone}"\n`,
    ],
  ])('is not written where the file %s; it stays as it is', (_, textWith) => {
    const { one, gone } = servers();
    const { env, file, read } = configFile(textWith(gone));
    const before = read();
    const answer = writeCliProfile({ address: one, namespace }, env);
    expect(answer).toMatchObject({ kind: 'failed', file, why: expect.any(String) });
    expect(read()).toBe(before);
  });

  test('nor where the file cannot be written', () => {
    const env = { TEMPORAL_CONFIG_FILE: join(configFile('').file, 'temporal.toml') };
    expect(writeCliProfile({ address: servers().one, namespace }, env)).toMatchObject({ kind: 'failed' });
  });

  test('through a link, which stays one', () => {
    const { file, read } = configFile('');
    const link = join(temporaryFolder(), 'link.toml');
    symlinkSync(file, link);
    writeCliProfile({ address: servers().one, namespace }, { TEMPORAL_CONFIG_FILE: link });
    expect(read()).toContain('[profile.durable-rlm]');
  });
});

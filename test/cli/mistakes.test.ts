import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedModel, type ScriptedModel } from '../../src/testing/index.ts';
import { createDesk, type Desk } from '../e2e/command.ts';
import { runHere } from './in-process.ts';

let desk: Desk;
let model: ScriptedModel;
/** It wants another key. */
let locked: ScriptedModel;
/** It has one model. */
let listing: ScriptedModel;

beforeAll(async () => {
  desk = await createDesk();
  locked = await startScriptedModel({ scripts: () => 'nobody is asked', apiKey: 'another-key' });
  listing = await startScriptedModel({ scripts: () => 'nobody is asked', models: ['scripted'] });
  model = await startScriptedModel({ scripts: () => 'nobody is asked' });
  const repository = join(desk.folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'file.py'), 'x = 1\n');
  const git = (...args: string[]): void => void execFileSync('git', ['-C', repository, ...args]);
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '-qm', 'start');
  desk.configure(`model: {name: openai/scripted, base_url: "${model.url}"}\n`);
  configure('typo.yaml', 'model:\n  nmae: x\n');
  configure('type.yaml', 'rlm:\n  max_iterations: many\n');
  configure('negative.yaml', 'rlm:\n\n  max_sandboxes: -3\n');
  configure('daytona.yaml', `model: {name: openai/scripted, base_url: "${model.url}"}\nsandbox: {provider: daytona}\n`);
  configure(
    'bucket.yaml',
    `model: {name: openai/scripted, base_url: "${model.url}"}\nstorage: {driver: s3, bucket: b, endpoint: "http://127.0.0.1:1"}\n`,
  );
  configure('wrong-key.yaml', `model: {name: openai/scripted, base_url: "${locked.url}"}\n`);
  configure('wrong-model.yaml', `model: {name: openai/scriptde, base_url: "${listing.url}"}\n`);
  configure(
    'wrong-sub-model.yaml',
    `model: {name: openai/scripted, sub_name: openai/small, base_url: "${listing.url}"}\n`,
  );
  configure('wrong-url.yaml', 'model: {name: openai/scripted, base_url: "http://127.0.0.1:1/v1"}\n');
  configure('wrong-path.yaml', `model: {name: openai/scripted, base_url: "${listing.url}/chat/completions"}\n`);
  configure(
    'wrong-python.yaml',
    `model: {name: openai/scripted, base_url: "${model.url}"}\nsandbox: {python: /no/such/python}\n`,
  );
  configure('key.yaml', 'model:\n  name: openai/some\n  api_key_env: NO_SUCH_KEY\n');
});

afterAll(async () => {
  await Promise.all([model, locked, listing].map((each) => each.close({ check: false })));
  await desk.close();
});

function configure(name: string, text: string): void {
  writeFileSync(join(desk.folder, name), text);
}

/** Of a blob store that is not there. */
const KEYS = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' };
const RUN = ['run', 'repository', '-p', 'Do it'];

async function isRefused(args: readonly string[], message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await runHere(desk, args, KEYS);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
  expect(stdout.toString()).toBe('');
  expect(stderr).not.toMatch(/\n\s+at /);
  expect([model, locked, listing].flatMap(({ calls }) => calls)).toEqual([]);
}

describe('a mistake ends with exit code 2 and what to do, before anything is spent', () => {
  it.concurrent.each([
    ['no such repository', ['run', 'nowhere', '-p', 'Do it'], /nowhere does not exist: give the folder/],
    ['no such branch', [...RUN, '-b', 'mian'], /no branch "mian"\. Close to it: main/],
    ['no such commit', [...RUN, '--commit', 'deadbeef'], /no commit deadbeef/],
    [
      'unknown setting',
      [...RUN, '-c', 'typo.yaml'],
      /typo\.yaml:2:3: model\.nmae is not a setting\. Did you mean name\?/,
    ],
    ['wrong type', [...RUN, '-c', 'type.yaml'], /type\.yaml:2:\d+: rlm\.max_iterations must be a whole number/],
    ['negative number', [...RUN, '-c', 'negative.yaml'], /negative\.yaml:3:\d+: rlm\.max_sandboxes must be .* -3/],
    ['no such configuration', [...RUN, '-c', 'none.yaml'], /none\.yaml: there is no such file/],
    ['missing key', [...RUN, '-c', 'key.yaml'], /set NO_SUCH_KEY/],
    ['wrong key', [...RUN, '-c', 'wrong-key.yaml'], /HTTP 401.*Put a valid key .* into OPENAI_API_KEY or LLM_API_KEY/],
    [
      'wrong model',
      [...RUN, '-c', 'wrong-model.yaml'],
      /HTTP 404.*does not exist.*Check model\.name.*Did you mean "openai\/scripted"\?/,
    ],
    ['wrong model for prompts', [...RUN, '-c', 'wrong-sub-model.yaml'], /openai\/small: HTTP 404.*does not exist/],
    ['address where nothing is', [...RUN, '-c', 'wrong-url.yaml'], /cannot reach 127\.0\.0\.1:1 .*model\.base_url/],
    ['address of another path', [...RUN, '-c', 'wrong-path.yaml'], /HTTP 404.*model\.base_url/],
    [
      'unusable Python',
      [...RUN, '-c', 'wrong-python.yaml'],
      /named in sandbox\.python, \/no\/such\/python, cannot be used/,
    ],
    [
      'wrong key of an analysis',
      ['analyze', '-s', 'question -> answer', '-i', 'question=why', '-c', 'wrong-key.yaml'],
      /HTTP 401.*Put a valid key/,
    ],
    ['missing key of Daytona', [...RUN, '-c', 'daytona.yaml'], /DAYTONA_API_KEY is not set.*export DAYTONA_API_KEY/],
    [
      'no blob store',
      [...RUN, '-c', 'bucket.yaml'],
      /bucket b at http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED.*storage\.endpoint/,
    ],
    ['no Temporal', [...RUN, '--address', '127.0.0.1:1'], /127\.0\.0\.1:1 .* does not answer.*--address/],
    ['empty prompt', ['run', 'repository', '-p', '  '], /The prompt is empty/],
    ['missing prompt', ['run', 'repository'], /required option '-p, --prompt <text>'/],
    [
      'output in no folder',
      [...RUN, '-o', 'none/x.patch'],
      /none\/x\.patch cannot be written \(its folder does not exist\)/,
    ],
    ['output is a folder', [...RUN, '-o', 'repository'], /repository cannot be written \(it is a folder\)/],
    ['wrong id', [...RUN, '--id', 'a/b'], /"a\/b" cannot be a run id/],
    ['unknown option', [...RUN, '--brnach', 'main'], /unknown option '--brnach'[^]*--branch/],
    [
      'unknown instead of required option',
      ['analyze', '--signture', 'a -> b'],
      /unknown option '--signture'[^]*--signature/,
    ],
    ['unknown command', ['rnu'], /unknown command 'rnu'[^]*run/],
    ['help with an unknown command', ['help', 'rnu'], /unknown command 'rnu'[^]*run/],
    [
      'no such book',
      ['demo', 'monte-cristo', '--book', 'none.txt'],
      /There is no book none\.txt \(it was looked for at \//,
    ],
    ['a limit of nothing', ['list', '-n', '0'], /--limit takes a whole number above 0, not "0"/],
    ['no such run', ['status', 'nobody'], /no run "nobody": rlm list/],
    ['no such run to watch', ['watch', 'nobody'], /no run "nobody"/],
  ])('%s', (_, args, message) => isRefused(args, message));

  it('a command is named as it has to be typed here', async () => {
    const { stderr } = await runHere(desk, ['run', 'repository'], { npm_command: 'exec' });
    expect(stderr).toContain('(npx rlm run --help shows what it takes)');
    const { stdout } = await runHere(desk, ['run', '--help'], { npm_command: 'exec' });
    expect(stdout.toString()).toMatch(/^Usage: npx rlm run [^]*\n {2}npx rlm run \. -p/);
  });

  it('no server for a worker', () => isRefused(['worker'], /start one with rlm up, or give --address/));

  it('leaves no file behind that was only to be written', () => {
    expect(existsSync(join(desk.folder, 'none'))).toBe(false);
  });
});

describe('as a process', () => {
  it('a mistake has the same exit code; help has 0 and goes to standard output', async () => {
    expect((await desk.run(['rnu'])).code).toBe(2);
    const { code, stdout } = await desk.run([]);
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/^Usage: rlm/);
  });
});

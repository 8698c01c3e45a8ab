import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forTask, withCode } from '../../src/testing/index.ts';
import { createWorld, makeRepository, type World } from './world.ts';

/** What pip needs here to reach its index: as a person would list it in `sandbox.setup_env`. */
const VARIABLES = ['PIP_INDEX_URL', 'PIP_CERT', 'SSL_CERT_FILE', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'];

const noIndex = whyNoIndex();
if (noIndex !== undefined) console.log(`skipped: no package index can be reached from here (${noIndex})`);

function whyNoIndex(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'rlm-no-index-'));
  const present = VARIABLES.filter((name) => process.env[name] !== undefined);
  const environment = Object.fromEntries(present.map((name) => [name, process.env[name]]));
  try {
    const command = [
      '-I',
      '-m',
      'pip',
      '--isolated',
      'download',
      '--no-deps',
      '--retries=0',
      '--timeout=10',
      '-q',
      'six',
    ];
    execFileSync('/usr/bin/python3', command, {
      cwd: folder,
      env: { PATH: '/usr/bin:/bin', HOME: folder, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 30_000,
    });
    return undefined;
  } catch (error) {
    return String(error).trim().split('\n').at(-1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('a repository whose tests need a package', () => {
  let world: World;
  let repository: string;
  beforeAll(async () => {
    world = await createWorld();
    await world.startWorker({ environment: { ...process.env, LLM_API_KEY: 'key-of-the-tests' } });
    repository = makeRepository(join(world.folder, 'subject'), {
      'subject.py': 'import six\n\ndef kind():\n    return six.text_type.__name__\n',
      'test_subject.py':
        'import subject, unittest\n\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(subject.kind(), "str")\n',
    });
  });
  afterAll(() => world.close());

  it.skipIf(noIndex !== undefined)(
    'has it from the package index, installed once for three agents who run them',
    async () => {
      const code = `import json, subprocess
command = "python -m unittest -q && cat ~/made && python -c 'import sys; print(sys.prefix)'"
ended = subprocess.run(command, shell=True, capture_output=True, text=True)
report = [ended.stderr.split()[-1:], ended.stdout]
`;
      const model = await world.startModel({
        scripts: [
          forTask('run the tests', [
            withCode('parts = rlm_query_batched(["part 1", "part 2"])'),
            withCode(`${code}FINAL([report, *map(json.loads, parts)])`),
          ]),
          forTask(/part \d/, [withCode(`${code}FINAL(report)`)]),
        ],
      });
      const setup = ['pip install six', 'python -c "import uuid; print(uuid.uuid4())" > ~/made'];
      const config = { sandbox: { setup, setup_env: VARIABLES, pool: 2 } };
      const outcome = await world.run({ id: 'tested', prompt: 'run the tests', model, repo: repository, config });
      expect(outcome).toMatchObject({ status: 'completed', agents: 3, patch_ref: null });
      const reports = JSON.parse(outcome.answer ?? '') as unknown[];
      expect(reports).toHaveLength(3);
      expect(new Set(reports.map((report) => JSON.stringify(report))).size).toBe(1);
      expect(reports[0]).toEqual([['OK'], expect.stringMatching(/^[0-9a-f-]{36}\n\/home\/agent\/environment\n$/)]);
      expect(world.log.filter((line) => line.startsWith('sandbox.setup'))).toHaveLength(1);
      expect(await world.leftovers('tested')).toEqual([]);
      await model.close();
    },
    120_000,
  );

  it('fails before a model is asked when a command fails, with its output', async () => {
    const model = await world.startModel({ scripts: [] });
    const setup = ['python3 -m venv --without-pip .venv', 'echo there is no such package; exit 9'];
    const config = { sandbox: { python: '.venv', setup } };
    const run = world.run({ id: 'untested', prompt: 'run the tests', model, repo: repository, config });
    const failure: unknown = await run.catch((error: unknown) => error);
    expect(failure).toMatchObject({
      cause: {
        type: 'Sandbox.SetupFailed',
        message: expect.stringMatching(/`echo .* exit 9` ended with exit code 9\. [^]*\nthere is no such package\n/),
      },
    });
    expect(await world.sandboxes()).toEqual([]);
    await model.close();
  });
});

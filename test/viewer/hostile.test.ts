import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFileBlobStore } from '../../src/storage/file-blob-store.ts';
import { exportHtml } from '../../src/viewer/export-html.ts';
import { openResults } from '../../src/viewer/results-folder.ts';
import type { RunSource } from '../../src/viewer/run-source.ts';
import { createStoredRuns } from '../../src/viewer/stored-runs.ts';
import { startViewer, type ViewerServer } from '../../src/viewer/viewer-server.ts';
import { launchBrowser, type TestBrowser } from './browser.ts';
import { failedTree, writeRun, type GeneratedAgent } from './generated-run.ts';

/** Whatever a model, a repository or another page may try: nothing of it runs, and nobody else is told anything. */
/** Whatever a page shows, it shows in a moment; a busy machine may need longer. */
const soon = (read: () => unknown): ReturnType<typeof expect.poll> => expect.poll(read, { timeout: 30_000 });
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const folder = mkdtempSync(join(tmpdir(), 'rlm-viewer-'));
let source: RunSource;
let viewer: ViewerServer;
let browser: TestBrowser;

const MARKUP =
  '<script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)></svg><a href="javascript:alert(4)">x</a>' +
  '</script></style></pre></code>"\'><iframe srcdoc="<script>parent.alert(5)</script>">{{7*7}}${alert(6)}';
const BIDI =
  'a\u202edesrever\u202c \u2066hidden\u2069 \u001b[31mred\u001b]8;;http://evil.example\u0007link\u0007 \u0000';
const HOSTILE = `${MARKUP} ${BIDI}`;
/** Characters of an output that are recorded: `rlm.output_limit` may be this large, all of it is a blob. */
const RECORDED = 5_000_000;
const LARGE = `${'0123456789abcdef'.repeat(1250)}\n`.repeat(2500);

const agents: readonly GeneratedAgent[] = [
  {
    id: '0',
    task: HOSTILE,
    turns: [
      {
        say: HOSTILE,
        reasoning: HOSTILE,
        code: HOSTILE,
        stdout: HOSTILE,
        stderr: HOSTILE,
        error: HOSTILE,
        spawns: ['0.1'],
      },
      { say: 'much', code: 'print(much)', stdout: LARGE.slice(0, 10_000), whole: LARGE, asks: [[HOSTILE, HOSTILE]] },
      { say: HOSTILE, code: 'print(all)', stdout: LARGE.slice(0, RECORDED) },
    ],
    answer: {
      [HOSTILE]: HOSTILE,
      rows: [
        { [HOSTILE]: HOSTILE, x: 1, y: 2 },
        { x: 2, y: 3 },
      ],
    },
    from: 0,
    to: 10,
  },
  { id: '0.1', task: HOSTILE, turns: [{ say: HOSTILE, code: HOSTILE }], answer: null, error: HOSTILE, from: 1, to: 2 },
];

beforeAll(async () => {
  const blobs = createFileBlobStore({ path: join(folder, 'blobs') });
  await writeRun(blobs, {
    run: 'hostile',
    prompt: HOSTILE,
    agents,
    status: 'completed',
    patch: `diff --git a/${MARKUP} b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,1 +1,1 @@\n-${HOSTILE}\n+${HOSTILE}\ndiff --git a/b b/b\nGIT binary patch\nliteral 3\n`,
    error: HOSTILE,
    config: { model: { name: MARKUP } },
  });
  await writeRun(blobs, { run: 'todo', prompt: 'Fix it.', agents: failedTree(), status: 'failed', error: 'why' });
  source = createStoredRuns({ blobs });
  [viewer, browser] = await Promise.all([startViewer(source), launchBrowser()]);
});
afterAll(async () => {
  await viewer?.close();
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

const PLACES = ['', '/agents', '/agents/0', '/agents/0.1', '/timeline', '/costs', '/patch', '/settings'];

describe('hostile content', () => {
  it('is shown as text in every place, and the page stays fast', async () => {
    const { page, problems, hosts } = await browser.open(viewer.link('hostile'));
    for (const place of [
      ...PLACES.map((each) => `/runs/hostile${each}`),
      '/',
      `/search?text=${encodeURIComponent('<script>')}`,
    ]) {
      const from = Date.now();
      await page.goto(new URL(`/#${place}`, page.url()).href);
      await soon(() => page.locator('main').innerText()).not.toMatch(/Loading|Looking through/);
      // Room for a busy machine; measured in bench.
      expect(Date.now() - from, place).toBeLessThan(10_000);
      await page.evaluate("document.querySelectorAll('main details').forEach((each) => (each.open = true))");
      const made =
        "document.querySelectorAll('main script, main iframe, main svg:not(.parts), main [onerror], main [onload], main a[href^=javascript]').length";
      expect(await page.evaluate(made), place).toBe(0);
    }
    expect(await page.locator('main').innerText()).toContain('<script>');
    expect(problems).toEqual([]);
    expect([...hosts]).toEqual([new URL(viewer.link()).host]);
  });

  it('turns no direction and hides nothing', async () => {
    const { page } = await browser.open(viewer.link('hostile'));
    await soon(() => page.locator('.prompt').innerText()).toContain('a⟨U+202E⟩desrever');
    const shown = await page.locator('.prompt').innerText();
    expect(shown).toContain('␛[31mred');
    expect(shown).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
  });

  it('of 50 MB is cut, read on in pieces, and downloaded whole', async () => {
    const { page } = await browser.open(viewer.link('hostile'));
    await page.goto(new URL('/#/runs/hostile/agents/0/3', page.url()).href);
    const output = page.locator('#iteration-3 .text-output');
    await soon(() => output.innerText()).toMatch(/20\.0k of 5\.0M characters/);
    await output.getByRole('button', { name: 'Show more' }).click();
    await soon(() => output.innerText()).toMatch(/520k of 5\.0M characters/);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#iteration-2').getByText('Download all of it').click(),
    ]);
    expect(readFileSync(await download.path()).length).toBe(LARGE.length);
  });
});

describe('whoever else asks', () => {
  const { exec } = { exec: promisify(execFile) };
  const origin = (): string => new URL(viewer.link()).origin;
  const cookie = async (): Promise<string> =>
    (await fetch(viewer.link())).headers.get('set-cookie')?.split(';')[0] ?? '';
  /** Node's own fetch decides on Host and Origin, and makes paths plain. */
  const ask = async (path: string, headers: Readonly<Record<string, string>>, ...more: string[]): Promise<string> => {
    const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const { stdout } = await exec('curl', [
      '-s',
      '--path-as-is',
      '-w',
      '\n%{http_code}',
      ...given,
      ...more,
      `${origin()}${path}`,
    ]);
    return stdout;
  };
  const code = async (...request: Parameters<typeof ask>): Promise<number> =>
    Number((await ask(...request)).split('\n').at(-1));

  it.each(['/', '/page.js', '/api/runs', '/api/runs/hostile', '/api/runs/hostile/events'])(
    'is refused %s without the cookie, for another host, and from another page',
    async (path) => {
      const own = { cookie: await cookie() };
      expect(await code(path, {})).toBe(403);
      expect(await code(path, { ...own, host: 'rebound.example' })).toBe(403);
      expect(await code(path, { ...own, origin: 'https://evil.example' })).toBe(403);
      expect(await code(path, { ...own, 'sec-fetch-site': 'cross-site' })).toBe(403);
    },
  );

  it('tells a run nothing: neither by a form nor without saying where it comes from', async () => {
    const own = { cookie: await cookie() };
    const body = ['-X', 'POST', '-d', '{"kind":"cancel"}'];
    const path = '/api/runs/hostile/control';
    expect(await code(path, { ...own, origin: origin(), 'content-type': 'text/plain' }, ...body)).toBe(403);
    expect(await code(path, { ...own, 'content-type': 'application/json' }, ...body)).toBe(403);
    expect(await ask(path, { ...own, origin: origin(), 'content-type': 'application/json' }, ...body)).toContain(
      'No Temporal server',
    );
  });

  it.each([
    '/../../../../etc/passwd',
    '/page/../../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/api/runs/..%2f..%2f..%2fetc%2fpasswd',
    '/api/runs/hostile/blobs/..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/api/runs/hostile/agents/..%2f..%2frun',
    '/api/runs/hostile/agents/0/text?at=__proto__.constructor',
    '/api/runs/%00',
    '/api/runs/hostile/blobs/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  ])('reads no file by %s', async (path) => {
    const answer = await ask(path, { cookie: await cookie() });
    expect(answer).not.toContain('root:');
    expect(answer).toMatch(/\n(?:400|404)$/);
  });

  it('has a policy that lets nothing of a text run', async () => {
    const { headers } = await fetch(`${origin()}/`, { headers: { cookie: await cookie() } });
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe-|https?:/);
  });
});

describe('an exported file', () => {
  it('opens from disk with all that the run did, and loads nothing', async () => {
    const file = join(folder, 'todo.html');
    writeFileSync(file, (await exportHtml(source, 'todo', { redact: false })) ?? '');
    const { page, problems, hosts } = await browser.open(`file://${file}`);
    await soon(() => page.locator('.findings').innerText()).toContain('0.17.1 failed');
    await page.locator('.finding').first().getByRole('link', { name: 'Agent 0.17.1', exact: true }).click();
    await soon(() => page.locator('.agent-pane').innerText()).toContain('I skip this module');
    await page.getByRole('link', { name: 'Timeline' }).click();
    await soon(() => page.locator('.timeline').innerText()).toContain('0.17.1');
    await page.getByRole('searchbox').fill('skip this module');
    await page.keyboard.press('Enter');
    await soon(() => page.locator('main').innerText()).toMatch(/[1-9]\d* places? found\./);
    expect(problems).toEqual([]);
    expect([...hosts]).toEqual(['']);
  });

  it('of hostile texts runs none of them', async () => {
    const file = join(folder, 'hostile.html');
    writeFileSync(file, (await exportHtml(source, 'hostile', { redact: false })) ?? '');
    const { page, problems } = await browser.open(`file://${file}`);
    await soon(() => page.locator('main').innerText()).toContain('<script>');
    expect(problems).toEqual([]);
  });

  it('that is redacted holds no text of the run', async () => {
    const html = (await exportHtml(source, 'todo', { redact: true })) ?? '';
    const parts = [...html.matchAll(/data-name="[^"]*">([^<]*)</g)].map(([, base64 = '']) => base64);
    const { gunzipSync } = await import('node:zlib');
    const all = parts.map((part) => gunzipSync(Buffer.from(part, 'base64')).toString()).join('\n');
    expect(parts.length).toBeGreaterThan(41);
    expect(all).not.toMatch(/TODO|sklearn|skip this module|images|import|example|cccccc/);
    expect(all).toContain('"cost":0.0322');
  });
});

it("opens the reference's results, and ours", async () => {
  const usage = { input_tokens: 10, output_tokens: 5, cost: 0.01 };
  const agent = {
    agent_id: 'agent_sub_1',
    depth: 1,
    sandbox_id: 's2',
    task: 'look there',
    iterations: [],
    spawned_agents: [],
    result: 'found it',
    result_truncated: false,
    usage,
    execution_time: 2,
    error: null,
  };
  const block = { code: 'print(1)', stdout: '1\n', stderr: '', execution_time: 0.1, error: null };
  const root = {
    ...agent,
    agent_id: 'agent_root',
    depth: 0,
    iterations: [
      {
        iteration: 0,
        prompt: 'go',
        raw_response: 'ok',
        parsed_code_blocks: [block],
        spawned_agents: [{ agent_id: 'agent_sub_1', depth: 1 }],
      },
    ],
    spawned_agents: [agent],
    usage: { input_tokens: 30, output_tokens: 15, cost: 0.03 },
  };
  const results = join(folder, 'reference.json');
  writeFileSync(results, JSON.stringify({ run_id: 'of-the-reference', root_agent: root }));
  const theirs = await openResults(results);
  expect((await theirs.list(10)).runs).toMatchObject([
    { run: 'of-the-reference', agents: 2, max_depth: 1, iterations: 1 },
  ]);
  const view = await theirs.view('of-the-reference');
  expect(view).toMatchObject({ status: 'completed', answer: { text: 'found it' }, totals: { usage: { cost: 0.03 } } });
  expect(view?.agents.map(({ id, usage: { cost } }) => [id, cost])).toEqual([
    ['0', 0.02],
    ['0.1', 0.01],
  ]);
  expect(await theirs.agent('of-the-reference', '0.1')).toMatchObject({ parent: { agent: '0', iteration: 1 } });

  writeFileSync(results, JSON.stringify(await source.document('todo')));
  const ours = await openResults(results);
  const [stored, file] = [await source.view('todo'), await ours.view('todo')];
  expect(file?.totals).toEqual(stored?.totals);
  expect(file?.findings).toEqual(stored?.findings);
  expect([file?.no_patch, stored?.no_patch]).toEqual([{ reason: null }, { reason: null }]);
  expect(file?.agents.map(({ id, status, error, usage: paid }) => ({ id, status, error, cost: paid.cost }))).toEqual(
    stored?.agents.map(({ id, status, error, usage: paid }) => ({ id, status, error, cost: paid.cost })),
  );

  writeFileSync(results, '{"run_id": 7}');
  expect((await (await openResults(results)).list(10)).problems).toEqual([
    expect.stringContaining('reference.json: it is no results file'),
  ]);
  execFileSync('mkfifo', [join(dirname(results), 'pipe.json')]);
  expect((await (await openResults(dirname(results))).list(10)).problems).toContain('pipe.json: it is no file');
});

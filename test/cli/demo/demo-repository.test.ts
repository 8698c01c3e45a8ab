import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { demoRepository, type DemoRepository } from '../../../src/cli/demo/demo-repository.ts';

let cache: string;
let repository: DemoRepository;
beforeAll(async () => {
  cache = mkdtempSync(join(tmpdir(), 'rlm-demo-'));
  repository = await demoRepository(cache, () => undefined);
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

function git(path: string, ...command: string[]): string {
  return execFileSync('git', ['-C', path, ...command], { encoding: 'utf8' }).trimEnd();
}

it('holds some hundred source files in many folders, none at the top where imports would find them', () => {
  const { path, version } = repository;
  const files = git(path, 'ls-files').split('\n');
  expect(version).toMatch(/^3\.\d+\.\d+$/);
  expect(files.length).toBeGreaterThan(200);
  expect(files.length).toBeLessThan(1000);
  expect(files.every((file) => file.startsWith('Lib/') && file.endsWith('.py'))).toBe(true);
  expect(new Set(files.map((file) => dirname(file))).size).toBeGreaterThan(10);
  expect(files.filter((file) => /\/(tests?|site-packages|__pycache__)\//.test(file))).toEqual([]);
  expect(git(path, 'status', '--porcelain')).toBe('');
});

it('is made once', async () => {
  let made = 0;
  expect(await demoRepository(cache, () => (made += 1))).toEqual(repository);
  expect(made).toBe(0);
});

it('is the same commit wherever it is made; two at the same time leave one, and nothing half-made', async () => {
  const elsewhere = join(cache, 'elsewhere');
  const [one, other] = await Promise.all([1, 2].map(() => demoRepository(elsewhere, () => undefined)));
  expect(one).toEqual(other);
  expect(one?.path).not.toBe(repository.path);
  expect(git(one?.path ?? '', 'rev-parse', 'HEAD')).toBe(git(repository.path, 'rev-parse', 'HEAD'));
  expect(readdirSync(dirname(one?.path ?? ''))).toHaveLength(1);
});

import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PYTHON = fileURLToPath(new URL('../../python', import.meta.url));
const IMPORT =
  /^\s*(?:from (?:rlm_\w+)?\.?(?<module>\w+) import|from (?:rlm_\w+|\.) import (?<names>[\w, ]+)|import (?:rlm_\w+\.)?(?<plain>\w+)$)/gm;

/** Modules of its package that each module of it imports. */
async function importsOf(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.py'));
  const modules = files.map((name) => basename(name, '.py'));
  const entries = files.map(async (name): Promise<[string, string[]]> => {
    const text = await readFile(`${folder}/${name}`, 'utf8');
    const found = [...text.matchAll(IMPORT)].flatMap(({ groups = {} }) =>
      (groups['module'] ?? groups['plain'] ?? groups['names'] ?? '').split(/,\s*/),
    );
    return [basename(name, '.py'), found.filter((each) => modules.includes(each))];
  });
  return new Map(await Promise.all(entries));
}

/** The first circle of imports, in order; undefined where there is none. */
function circleOf(imports: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (module: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(module)) return [...path.slice(path.indexOf(module)), module];
    if (done.has(module)) return undefined;
    for (const next of imports.get(module) ?? []) {
      const circle = visit(next, [...path, module]);
      if (circle !== undefined) return circle;
    }
    done.add(module);
    return undefined;
  };
  for (const module of imports.keys()) {
    const circle = visit(module, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

it('finds a circle', () => {
  const imports = new Map([
    ['start', ['repl']],
    ['repl', ['wire', 'block']],
    ['block', ['repl']],
  ]);
  expect(circleOf(imports)).toEqual(['repl', 'block', 'repl']);
});

// The linter does the same for TypeScript (import/no-cycle).
for (const folder of ['rlm_kernel', 'rlm_launcher', 'rlm_remote', 'rlm_server']) {
  it(`${folder} has no circle of imports`, async () => {
    const imports = await importsOf(`${PYTHON}/${folder}`);
    expect(imports.size).toBeGreaterThan(0);
    expect(circleOf(imports)).toBeUndefined();
  });
}

it('reads the imports of the kernel', async () => {
  expect((await importsOf(`${PYTHON}/rlm_kernel`)).get('start')).toContain('repl_process');
});

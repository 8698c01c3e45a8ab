import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostProcess } from './host-process.ts';

const HEAD = `import { z } from 'zod';\nconst tool = (definition: object) => definition;\n`;
const RUN = `description: 'D', parameters: z.object({}), run: () => 1`;

describe('a module with tools', () => {
  let host: HostProcess;

  beforeAll(() => {
    host = new HostProcess();
  });

  afterAll(async () => {
    await host.stop();
  });

  it('gives functions with the signature and docstring of their schemas', async () => {
    const { descriptions } = await host.load(`${HEAD}
      export const weather = tool({
        description: '  Tells the weather.\\nOf any city.  ',
        timeout: 2.5,
        attempts: 1,
        parameters: z.object({
          days: z.int().min(1).max(7).default(3).describe('How many days.'),
          city: z.string().describe('Its name,\\nin English.'),
          units: z.enum(['C', 'F']).default('C'),
          near: z.object({ lat: z.number(), lon: z.number().optional() }).optional().describe('A place.'),
          tags: z.array(z.string()).nullable().optional(),
          limits: z.record(z.string(), z.int()).default({ a: 1 }),
          'max-results': z.number().nullish(),
          class: z.literal(1).optional(),
          since: z.coerce.date().optional(),
          extra: z.any().optional(),
        }),
        run: (args: object) => args,
      });`);
    expect(descriptions).toEqual([
      {
        name: 'weather',
        timeout: 2.5,
        attempts: 1,
        doc: [
          'Tells the weather.\nOf any city.',
          '',
          'Args:',
          '    days: How many days. (minimum 1, maximum 7)',
          '    city: Its name,\n        in English.',
          '    near: A place. Type: {lat: float, lon?: float}',
        ].join('\n'),
        parameters: [
          { name: 'city', type: 'any', annotation: 'str' },
          { name: 'days', type: 'any', annotation: 'int', default: 3 },
          { name: 'units', type: 'any', annotation: "Literal['C', 'F']", default: 'C' },
          { name: 'near', type: 'any', annotation: 'dict | None', optional: true },
          { name: 'tags', type: 'any', annotation: 'list[str] | None', optional: true },
          { name: 'limits', type: 'any', annotation: 'dict[str, int]', default: { a: 1 } },
          { name: 'max_results', type: 'any', annotation: 'float | None', optional: true },
          { name: 'class_', type: 'any', annotation: 'Literal[1] | None', optional: true },
          { name: 'since', type: 'any', annotation: 'str | None', optional: true },
          { name: 'extra', type: 'any', annotation: 'Any', optional: true },
        ],
      },
    ]);
    expect(
      await host.call('weather', {
        city: 'Bern',
        days: 2,
        units: 'F',
        near: null,
        tags: null,
        limits: {},
        max_results: 1.5,
        class_: 1,
        since: '2026-11-21',
      }),
    ).toEqual({
      value: {
        city: 'Bern',
        days: 2,
        units: 'F',
        tags: null,
        limits: {},
        'max-results': 1.5,
        class: 1,
        since: '2026-11-21T00:00:00.000Z',
      },
    });
  });

  it('may export plain objects, a default export of several, and be CommonJS', async () => {
    const several = await host.load(
      `${HEAD}export const one = { ${RUN} };\nexport default { one, two: { ${RUN} }, three: tool({ ${RUN} }) };`,
    );
    expect(several.descriptions?.map(({ name, timeout, attempts }) => [name, timeout, attempts])).toEqual([
      ['one', 60, 3],
      ['two', 60, 3],
      ['three', 60, 3],
    ]);
    const commonjs = await host.load(`const { z } = require('zod');\nmodule.exports = { four: { ${RUN} } };`, 'c.cjs');
    expect(commonjs.descriptions?.map(({ name }) => name)).toEqual(['four']);
    expect(await host.call('four')).toEqual({ value: 1 });
  });

  it('runs as it is written: async, with this, and with modules beside it', async () => {
    writeFileSync(join(host.folder, 'prices.ts'), 'export const price: number = 7;\n');
    await host.load(
      `${HEAD}import { price } from './prices.ts';
      interface Unused { readonly a: string }
      export const cost = tool({ description: 'D', factor: 2, parameters: z.object({ n: z.number() }),
        async run(this: { factor: number }, { n }: { n: number }) { return n * price * this.factor } });`,
    );
    expect(await host.call('cost', { n: 3 })).toEqual({ value: 42 });
  });

  it.each<[string, string, string]>([
    ['a bare function', 'export const f = () => 1;', 'the export `f` is a bare function; write `tool('],
    ['a constant', 'export const LIMIT = 3;', 'the export `LIMIT` is no tool; export nothing else from this file.'],
    ['nothing', 'const a = 1;', 'it exports no tool; write `export const my_tool = tool('],
    ['no description', `export const f = { parameters: z.object({}), run() {} };`, '`f` has no description; '],
    ['no schema', `export const f = { description: 'D', run() {} };`, '`f` has no parameters; write z.object({})'],
    ['no function', `export const f = { description: 'D', parameters: z.object({}) };`, '`f` has no run, '],
    [
      'a schema of JSON',
      `export const f = { description: 'D', parameters: { type: 'object' }, run() {} };`,
      'no zod schema',
    ],
    [
      'a schema of zod 3',
      `export const f = { description: 'D', parameters: { _def: {} }, run() {} };`,
      'zod 3; use zod 4',
    ],
    [
      'a list',
      `export const f = { description: 'D', parameters: z.array(z.string()), run() {} };`,
      'no object with named',
    ],
    [
      'a record',
      `export const f = { description: 'D', parameters: z.record(z.string(), z.int()), run() {} };`,
      'no object',
    ],
    [
      'a date inside',
      `export const f = { description: 'D', parameters: z.object({ a: z.object({ at: z.date() }) }), run() {} };`,
      'parameters with a z.date() at a.at, which JSON does not have; use z.coerce.date() or z.iso.datetime().',
    ],
    [
      'a timeout of nothing',
      `export const f = { ${RUN}, timeout: 0 };`,
      '`f` has a timeout that is no number of seconds',
    ],
    ['half an attempt', `export const f = { ${RUN}, attempts: 1.5 };`, '`f` has attempts that are no whole number'],
    [
      'the name of a host function',
      `export const llm_query = { ${RUN} };`,
      '`llm_query` is the name of a function in the',
    ],
    ['the name of a builtin', `export const open = { ${RUN} };`, '`open` is the name of a function of Python; choose'],
    ['the name of a variable', `export const task = { ${RUN} };`, '`task` is the name of a variable in the sandbox'],
    ['a keyword', `export const pass = { ${RUN} };`, '`pass` is a keyword of Python; choose another name.'],
    ['no identifier', `export const $f = { ${RUN} };`, '`$f` is not a Python identifier; use letters'],
    ['one without a name', `export default { ${RUN} };`, 'the default export has no name; write `export const'],
    [
      'two of one name',
      `export const f = { ${RUN} };\nexport default { f: { ${RUN} } };`,
      'Two tools are called f: f in',
    ],
    ['an exception', `\nthrow new Error('no key\\nset');`, 'it cannot be loaded: no key set (line 4).'],
    ['wrong syntax', 'export const = 1;', 'it cannot be loaded: '],
    ['an enum', 'export enum Colour { Red }', 'Node removes types and translates nothing: write no enum'],
    ['a package that is not there', `import 'no-such-package-of-ours';`, 'Install it beside the file (npm install).'],
    [
      'an import without extension',
      `import './missing';`,
      "Imports of files need their extension, such as './prices.ts'",
    ],
  ])('is refused with %s', async (_, text, expected) => {
    const reply = await host.load(HEAD + text);
    expect(reply.error).toContain(expected);
    expect(reply.error).toMatch(/tools-\d+\.ts/);
    expect(reply.type).toBe('Input.Invalid');
  });

  it('is refused where package.json says that it is CommonJS, with what to do', async () => {
    mkdirSync(join(host.folder, 'commonjs'));
    writeFileSync(join(host.folder, 'commonjs', 'package.json'), '{"type": "commonjs"}');
    for (const text of [HEAD, `export const f = { ${RUN} };`]) {
      // oxlint-disable-next-line no-await-in-loop -- the process answers one question at a time
      const { error } = await host.load(text, `commonjs/tools-${text.length}.ts`);
      expect(error).toContain('package.json says "type": "commonjs" for it, as npm init writes: name the file .mts');
    }
  });

  it('is refused where it is not there, a folder, or no module', async () => {
    mkdirSync(join(host.folder, 'folder'));
    writeFileSync(join(host.folder, 'tools.py'), '');
    expect((await host.loadFiles(['none.ts'])).error).toContain(
      'Tools of none.ts: there is no such file (looked for /',
    );
    expect((await host.loadFiles(['folder'])).error).toBe(
      'Tools of folder: it is not a file; name the modules in it one by one.',
    );
    expect((await host.loadFiles(['tools.py'])).error).toContain('it must be a module whose name ends with one of .ts');
  });

  it('is loaded with others; what two of them call the same is refused', async () => {
    writeFileSync(join(host.folder, 'a.mjs'), `import { z } from 'zod';\nexport const f = { ${RUN} };`);
    writeFileSync(join(host.folder, 'b.mjs'), `import { z } from 'zod';\nexport const f = { ${RUN} };`);
    expect((await host.loadFiles(['a.mjs', 'a.mjs'])).descriptions).toHaveLength(1);
    expect((await host.loadFiles(['a.mjs', 'b.mjs'])).error).toBe(
      'Two tools are called f: f in a.mjs and f in b.mjs. Rename one.',
    );
  });
});

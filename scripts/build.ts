/**
 * Builds `dist`: the compiled sources, the files beside them, and the workflow bundle that workers load (bundling
 * at their start would cost a second). Does only what is out of date, by the hash of what goes in, so that it can
 * run before every test and costs nothing when nothing changed. `build.ts bundle` does that step only.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../src/files/lock.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = join(ROOT, 'src');
const OUTPUT = join(ROOT, 'dist');
/** The scenarios of the demos, whose scripts `rlm demo` plays. */
const EXAMPLES = join(ROOT, 'examples');
const EXAMPLES_OUTPUT = join(OUTPUT, 'examples');
/** Those that a person runs as they are. */
const PROGRAMS = ['investigate.ts', 'monte-cristo/analyze.ts'].map((name) => join(EXAMPLES, name));
const BUNDLE = join(OUTPUT, 'workflow-bundle.js');
/** The same with the interceptors that trace runs: loaded only where somebody wants traces. */
const TRACED_BUNDLE = join(OUTPUT, 'workflow-bundle-traced.js');
/** What `rlm view` serves, and `rlm export --html` writes into one file. */
const PAGE_SOURCE = join(ROOT, 'viewer');
const PAGE = join(OUTPUT, 'viewer', 'page');
const PAGE_FILES = ['index.html', 'page.js', 'page.css'].map((name) => join(PAGE, name));
const STAMPS = join(OUTPUT, '.stamps.json');
const LOCKS = join(OUTPUT, '.locks');
/** What besides the sources decides the outcome: options, compiler and SDK versions, and how it is built. */
const SETTINGS = [
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.examples.json',
  'package-lock.json',
  'scripts/build.ts',
].map((name) => join(ROOT, name));

/** A step and its result, when what goes in has changed since or what comes out is not there. */
interface Step {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly run: () => Promise<void> | void;
}

const sources = filesIn(SOURCE);
const examples = filesIn(EXAMPLES).filter((file) => /\.(ts|py|json)$/.test(file) && !PROGRAMS.includes(file));
const steps: readonly Step[] = [
  // Not from `dist`: the bundle then is right even while something else does not compile.
  {
    name: 'bundle',
    inputs: ['workflows', 'domain'].flatMap((room) => filesIn(join(SOURCE, room))),
    outputs: [BUNDLE, TRACED_BUNDLE],
    run: async () => {
      await bundle(BUNDLE, []);
      await bundle(TRACED_BUNDLE, [join(SOURCE, 'workflows', 'trace-interceptors.ts')]);
    },
  },
  {
    name: 'page',
    inputs: [...filesIn(PAGE_SOURCE), ...filesIn(join(SOURCE, 'viewer'))],
    outputs: PAGE_FILES,
    run: bundlePage,
  },
  {
    name: 'sources',
    inputs: sources,
    outputs: outputsOf(SOURCE, OUTPUT, sources),
    run: compileSources,
  },
  // After the sources: their scripts import `durable-rlm/testing`, which is this package.
  {
    name: 'examples',
    inputs: [...examples, ...filesIn(join(SOURCE, 'testing'))],
    outputs: outputsOf(EXAMPLES, EXAMPLES_OUTPUT, examples),
    run: () => compile('tsconfig.examples.json', EXAMPLES, EXAMPLES_OUTPUT, examples),
  },
];

const named = process.argv.slice(2);
const wanted = steps.filter(({ name }) => named.length === 0 || named.includes(name));
if (wanted.some((step) => !isUpToDate(step))) {
  const work = async (): Promise<void> => {
    for (const step of wanted) {
      if (isUpToDate(step)) continue;
      const stamp = stampOf(step);
      // oxlint-disable-next-line no-await-in-loop -- one after the other: the compiler takes all there is
      await step.run();
      writeFileSync(STAMPS, JSON.stringify({ ...readStamps(), [step.name]: stamp }));
    }
  };
  mkdirSync(OUTPUT, { recursive: true });
  await withLock(join(LOCKS, 'build'), work, { onWait: sayWaiting });
}

function sayWaiting(): void {
  console.error('Another build is running; waiting for it.');
}

function isUpToDate(step: Step): boolean {
  return readStamps()[step.name] === stampOf(step) && step.outputs.every((file) => existsSync(file));
}

function compileSources(): void {
  compile('tsconfig.build.json', SOURCE, OUTPUT, sources);
  const expected = new Set(outputsOf(SOURCE, OUTPUT, sources));
  const others = [LOCKS, EXAMPLES_OUTPUT].map((folder) => `${folder}${sep}`);
  for (const file of filesIn(OUTPUT)) {
    if (others.some((folder) => file.startsWith(folder))) continue;
    if ([BUNDLE, TRACED_BUNDLE, STAMPS, ...PAGE_FILES].includes(file)) continue;
    if (!expected.has(file.replace(/\.d\.ts$/, '.js'))) rmSync(file);
  }
  const command = join(OUTPUT, 'cli', 'main.js');
  if (existsSync(command)) chmodSync(command, 0o755);
}

/** Compiles the files of a folder into another, and copies what there is beside them. */
function compile(project: string, from: string, to: string, files: readonly string[]): void {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(compiler)) fail('The compiler is missing: run npm ci (with development dependencies), then again.');
  const { status } = spawnSync(process.execPath, [compiler, '-p', join(ROOT, project)], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (status !== 0) fail('The sources do not compile: correct what is named above.');
  for (const file of files.filter((name) => !name.endsWith('.ts'))) {
    const copy = outputOf(from, to, file);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file, copy);
  }
}

async function bundle(file: string, workflowInterceptorModules: string[]): Promise<void> {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(SOURCE, 'workflows', 'index.ts'),
    payloadConverterPath: join(SOURCE, 'workflows', 'payload-converter.ts'),
    workflowInterceptorModules,
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({ ...config, context: ROOT }),
  });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, code);
  renameSync(temporary, file);
}

/** One script and one stylesheet, without a map: they hold all that the page needs. */
async function bundlePage(): Promise<void> {
  const { build } = await import('vite');
  await build({
    configFile: false,
    envDir: false,
    root: PAGE_SOURCE,
    base: './',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: PAGE,
      emptyOutDir: true,
      target: 'es2023',
      modulePreload: false,
      chunkSizeWarningLimit: 2000,
      rolldownOptions: {
        output: { entryFileNames: 'page.js', assetFileNames: 'page[extname]', codeSplitting: false },
      },
    },
  });
}

/** All files below a folder, sorted; none where there is no folder. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function outputsOf(from: string, to: string, files: readonly string[]): string[] {
  return files.filter((file) => !file.endsWith('.d.ts')).map((file) => outputOf(from, to, file));
}

function outputOf(from: string, to: string, file: string): string {
  return join(to, relative(from, file)).replace(/\.ts$/, '.js');
}

function stampOf({ inputs }: Step): string {
  const hash = createHash('sha256');
  for (const file of [...inputs, ...SETTINGS]) {
    const name = relative(ROOT, file).split(sep).join('/');
    const content = readFileSync(file);
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** What each step was last done for, by its name. */
function readStamps(): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(STAMPS, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

import { stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TypedError } from '../../domain/failures.ts';
import { messageOf } from '../call-tool.ts';
import { isRecord } from '../../domain/is-record.ts';
import { toolNameProblem } from '../tool-names.ts';
import type { LoadedTool } from '../tools.ts';
import { shareOwnPackages } from './own-packages.ts';
import { readTool } from './read-tool.ts';

const EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];
/** Seconds a module may take to load. */
const MAX_IMPORT_SECONDS = 20;

/**
 * The tools that a module exports, by name or as a default export that is an object of them.
 *
 * @param file - relative to `cwd`
 * @throws TypedError `Input.Invalid` that names file and export, and says what is wrong
 */
export async function loadFile(file: string, cwd: string): Promise<readonly LoadedTool[]> {
  const path = resolve(cwd, file);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw invalid(file, `there is no such file (looked for ${path})`);
  if (!found.isFile()) throw invalid(file, 'it is not a file; name the modules in it one by one');
  if (!EXTENSIONS.includes(extname(path))) {
    throw invalid(file, `it must be a module whose name ends with one of ${EXTENSIONS.join(', ')}`);
  }
  const exported = exportsOf(await importModule(file, path));
  if (exported.length === 0) {
    throw invalid(file, 'it exports no tool; write `export const my_tool = tool({ description, parameters, run })`');
  }
  return exported.map(([name, value]) => {
    if (name === 'default')
      throw invalid(file, 'the default export has no name; write `export const my_tool = tool(...)`');
    const problem = toolNameProblem(name);
    if (problem !== undefined) throw invalid(file, `the export \`${name}\` ${problem}`);
    return readTool(name, `${name} in ${basename(file)}`, value, (what) =>
      invalid(file, `the export \`${name}\` ${what}`),
    );
  });
}

function invalid(file: string, what: string, cause?: unknown): TypedError {
  return new TypedError('Input.Invalid', `Tools of ${file}: ${what}.`, { cause });
}

/** Named exports, then those of the default export that are not among them. */
function exportsOf(module: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  // `module.exports` is another name that Node gives the default export of CommonJS.
  const { default: byDefault, 'module.exports': _, ...named } = module;
  if (byDefault === undefined) return Object.entries(named);
  const inner = isRecord(byDefault) && !('run' in byDefault) ? byDefault : { default: byDefault };
  const others = Object.entries(inner).filter(([name, value]) => named[name] !== value);
  return [...Object.entries(named), ...others];
}

async function importModule(file: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  shareOwnPackages();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new Error(`it did not finish loading within ${MAX_IMPORT_SECONDS} s; is there an await at its top level?`),
      ),
    MAX_IMPORT_SECONDS * 1000,
  );
  try {
    return await Promise.race([import(pathToFileURL(path).href) as Promise<Record<string, unknown>>, late]);
  } catch (error) {
    throw invalid(file, `it cannot be loaded: ${importProblem(error, path)}`, error);
  } finally {
    clearTimeout(timer);
  }
}

function importProblem(error: unknown, path: string): string {
  const message = `${messageOf(error).replace(/\.$/, '')}${lineOf(error, path)}`;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return `${message}. Node removes types and translates nothing: write no enum, namespace or parameter property (tsc shows them with erasableSyntaxOnly), or name the compiled .js`;
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return `Node ${process.version} does not read TypeScript; use Node 22.18 or newer, or name the compiled .js`;
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return `${message}. Node does not read TypeScript inside node_modules: name the compiled .js`;
    case 'ERR_MODULE_NOT_FOUND':
      return message.includes('Cannot find package')
        ? `${message}. Install it beside the file (npm install)`
        : `${message}. Imports of files need their extension, such as './prices.ts'`;
    default:
      // Node's message where package.json names the other kind of module.
      return /Cannot use import statement outside a module|Unexpected token 'export'/.test(message)
        ? `${message}. package.json says "type": "commonjs" for it, as npm init writes: name the file .mts (or .mjs), or write "type": "module" there`
        : message;
  }
}

/** Where in the module it was thrown. */
function lineOf(error: unknown, path: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const after = stack.split(pathToFileURL(path).href)[1];
  const line = after === undefined ? undefined : /^:(\d+)/.exec(after)?.[1];
  return line === undefined ? '' : ` (line ${line})`;
}

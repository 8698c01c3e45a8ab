import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isRecord } from '../domain/is-record.ts';

/** A file that a configuration names, with the hash of its content. */
export interface NamedFile {
  readonly path: string;
  readonly hash: string;
}

/** Far more than a configuration names by hand. */
const MAX_FILES = 1000;
const MODULE = /\.[cm]?[jt]sx?$/;
/** `from './x.js'`, `import './x.js'`, `import('./x.js')`, `require('./x')`. */
const RELATIVE_IMPORT = /\b(?:from|import|require)\s*\(?\s*['"](\.{1,2}\/[^'"\n]+)['"]/g;

/**
 * The files that a configuration's tools, MCP servers and interpreter are, as far as its texts name them, with the modules
 * that they import by relative paths: what would run besides what stands in the configuration itself. In the order of
 * their paths.
 *
 * @param value of the configuration file
 * @param folder what its paths are relative to
 */
export async function namedFiles(value: unknown, folder: string): Promise<readonly NamedFile[]> {
  const found = new Map<string, string>();
  let next = candidates(value, folder);
  while (next.length > 0 && found.size < MAX_FILES) {
    const read = await Promise.all([...new Set(next)].filter((path) => !found.has(path)).map(readCandidate));
    next = [];
    for (const { path, content } of read.filter((each) => each !== undefined)) {
      found.set(path, createHash('sha256').update(content).digest('hex'));
      if (MODULE.test(path)) next.push(...importsOf(path, content.toString('latin1')));
    }
  }
  return [...found].map(([path, hash]) => ({ path, hash })).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function candidates(value: unknown, folder: string): string[] {
  if (!isRecord(value)) return [];
  const { tools, sandbox } = value;
  const mcp = isRecord(tools) && isRecord(tools['mcp']) ? Object.values(tools['mcp']) : [];
  return [...(isRecord(tools) ? textsIn(tools['files']) : []), ...(isRecord(sandbox) ? textsIn(sandbox['python']) : [])]
    .map((text) => resolve(folder, text))
    .concat(mcp.flatMap((server) => pathsOfServer(server, folder)));
}

/** A server is started in its `cwd`. */
function pathsOfServer(server: unknown, folder: string): string[] {
  if (!isRecord(server)) return [];
  const { command, args, cwd } = server;
  const from = typeof cwd === 'string' ? resolve(folder, cwd) : folder;
  // A name without a slash is looked for on PATH.
  const program = typeof command === 'string' && command.includes('/') ? [command] : [];
  return [...program, ...textsIn(args)].map((text) => resolve(from, text));
}

function textsIn(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string');
}

function importsOf(path: string, source: string): string[] {
  return [...source.matchAll(RELATIVE_IMPORT)].flatMap(([, specifier = '']) => {
    const file = resolve(dirname(path), specifier);
    return [file, ...['.js', '.cjs', '.json', '/index.js'].map((end) => `${file}${end}`)];
  });
}

/** Undefined for what is no file; a pipe in its place is not waited for. */
async function readCandidate(path: string): Promise<{ path: string; content: Buffer } | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    return (await file.stat()).isFile() ? { path, content: await file.readFile() } : undefined;
  } finally {
    await file.close();
  }
}

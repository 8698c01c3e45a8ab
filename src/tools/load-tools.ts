import type { McpServerConfig } from '../domain/config.ts';
import { TypedError } from '../domain/failures.ts';
import { callTool } from './call-tool.ts';
import { loadFile } from './files/load-file.ts';
import { readTool } from './files/read-tool.ts';
import { loadServer } from './mcp/load-server.ts';
import { freeName, toolNameProblem } from './tool-names.ts';
import type { ToolDefinition } from './tool.ts';
import type { LoadedTool, Tools } from './tools.ts';

export interface LoadToolsOptions {
  /** Modules, relative to `cwd`. */
  readonly files: readonly string[];
  /** Servers by name. */
  readonly mcp: Readonly<Record<string, McpServerConfig>>;
  /** What relative paths begin at. */
  readonly cwd: string;
  /** What servers may be handed variables of. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Takes a line: a server that was started again, a tool that was left out. */
  readonly log: (line: string) => void;
  /** Seconds in which a server has to start and list its tools. Default 20. */
  readonly startTimeout?: number;
}

/**
 * Imports modules and starts servers. Tools of files have the names they are exported by; those of a server keep theirs
 * where they are free, and else have the server's before it.
 *
 * @throws TypedError `Input.Invalid` that names what is wrong and what to do; nothing is left running then
 */
export async function loadTools(options: LoadToolsOptions): Promise<Tools> {
  const { files, mcp, cwd, env, log, startTimeout = 20 } = options;
  const named = new Map<string, LoadedTool>();
  for (const file of new Set(files)) {
    // oxlint-disable-next-line no-await-in-loop -- what one prints or throws is not mixed with the next
    for (const tool of await loadFile(file, cwd)) add(named, tool);
  }
  const loading = Object.entries(mcp).map(([name, config]) =>
    loadServer({ name, config, cwd, env, log, startTimeout }),
  );
  const settled = await Promise.allSettled(loading);
  const servers = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
  };
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  for (const tool of servers.flatMap((server) => server.tools)) add(named, tool);
  return toolbox(named, close);
}

/**
 * Tools of this program, by name.
 *
 * @throws TypedError `Input.Invalid` that names a tool and says what is wrong with it
 */
export function toolsOf(definitions: Readonly<Record<string, ToolDefinition>>): Tools {
  const named = new Map<string, LoadedTool>();
  for (const [name, definition] of Object.entries(definitions)) {
    const invalid = (what: string): TypedError => new TypedError('Input.Invalid', `The tool \`${name}\` ${what}.`);
    const problem = toolNameProblem(name);
    if (problem !== undefined) throw invalid(problem);
    add(named, readTool(name, name, definition, invalid));
  }
  return toolbox(named, async () => {});
}

function toolbox(named: ReadonlyMap<string, LoadedTool>, close: Tools['close']): Tools {
  return {
    descriptions: Array.from(named, ([name, { description }]) => ({ name, ...description })),
    call: async (name, args, signal) => {
      const tool = named.get(name);
      if (tool === undefined) throw new TypedError('Input.Invalid', noSuchTool(name));
      return callTool(name, tool, args, signal);
    },
    close,
  };
}

function add(named: Map<string, LoadedTool>, tool: LoadedTool): void {
  const name = tool.fallback === undefined ? tool.name : nameFor(tool.name, tool.fallback, named);
  const other = named.get(name);
  if (other !== undefined) {
    throw new TypedError(
      'Input.Invalid',
      `Two tools are called ${name}: ${other.place} and ${tool.place}. Rename one.`,
    );
  }
  named.set(name, tool);
}

function nameFor(own: string, fallback: string, named: ReadonlyMap<string, LoadedTool>): string {
  const isTaken = (name: string): boolean => named.has(name) || toolNameProblem(name) !== undefined;
  return isTaken(own) ? freeName(fallback, isTaken) : own;
}

function noSuchTool(name: string): string {
  return `This worker has no tool called ${name}: start it with the same tools as the one that began the run (--tools, or tools in its configuration).`;
}

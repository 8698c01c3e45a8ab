import { resolve } from 'node:path';

/**
 * A configuration file's value with its paths made absolute: they are relative to the folder of the file, so that none
 * of them comes to mean a file of the folder that a command happens to be typed in. What is not of the right form is
 * left as it is, to be refused with the file's own words.
 */
export function absolutePaths(value: unknown, folder: string): unknown {
  if (!isSection(value)) return value;
  const { storage, tools } = value;
  return {
    ...value,
    ...(isSection(storage) ? { storage: withPath(storage, 'path', folder) } : {}),
    ...(isSection(tools) ? { tools: toolPaths(tools, folder) } : {}),
  };
}

function toolPaths(tools: Section, folder: string): Section {
  const { files, mcp } = tools;
  return {
    ...tools,
    ...(Array.isArray(files) ? { files: files.map((file) => absolute(file, folder)) } : {}),
    ...(isSection(mcp)
      ? { mcp: Object.fromEntries(Object.entries(mcp).map(([name, server]) => [name, serverPaths(server, folder)])) }
      : {}),
  };
}

/** A program runs in the folder of the file, unless that says otherwise. */
function serverPaths(server: unknown, folder: string): unknown {
  if (!isSection(server) || typeof server['command'] !== 'string') return server;
  return {
    ...server,
    cwd: server['cwd'] === undefined || server['cwd'] === null ? folder : absolute(server['cwd'], folder),
  };
}

function withPath(section: Section, key: string, folder: string): Section {
  return Object.hasOwn(section, key) ? { ...section, [key]: absolute(section[key], folder) } : section;
}

function absolute(path: unknown, folder: string): unknown {
  return typeof path === 'string' && path.trim() !== '' ? resolve(folder, path) : path;
}

type Section = Readonly<Record<string, unknown>>;

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

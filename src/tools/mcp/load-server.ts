import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import type { JsonSchemaType } from '@modelcontextprotocol/sdk/validation';
import { CallToolResultSchema, type CallToolResult, type Tool } from '@modelcontextprotocol/sdk/types.js';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { TypedError } from '../../domain/failures.ts';
import { renderType } from '../../domain/signature/render.ts';
import { messageOf } from '../call-tool.ts';
import { docstring, parametersOf, typeOf, type Parameters } from '../parameters.ts';
import { asIdentifier } from '../tool-names.ts';
import type { LoadedTool } from '../tools.ts';
import { Connection, SettingFault, type McpServerOptions } from './connection.ts';
import { valueOf } from './content.ts';

/** Pages of a list of tools that are read. */
const MAX_PAGES = 100;
/** Longer than a timer of Node can wait is not waited. */
const MAX_TIMER_MS = 2_147_483_647;

export interface McpServer {
  readonly tools: readonly LoadedTool[];
  close(): Promise<void>;
}

/**
 * Starts a server and lists its tools.
 *
 * @throws TypedError `Input.Invalid` that names the server, with the end of what it wrote
 */
export async function loadServer(options: McpServerOptions): Promise<McpServer> {
  const { name, log, startTimeout } = options;
  const connection = new Connection(options);
  const late = AbortSignal.timeout(startTimeout * 1000);
  try {
    const listed = await connection.with((client) => listTools(client, late), late);
    const usable = listed.filter(({ execution }) => execution?.taskSupport !== 'required');
    for (const { name: left } of listed.filter((each) => !usable.includes(each))) {
      log(`The tool ${left} of the MCP server ${name} works as a task only, and is left out.`);
    }
    return { tools: usable.map((each) => toolOf(each, connection, options)), close: () => connection.close() };
  } catch (error) {
    await connection.close();
    if (error instanceof SettingFault) throw error;
    const setting = options.config.command === undefined ? 'url' : 'command';
    const message =
      error instanceof TypedError
        ? error.message
        : `the MCP server ${name} does not list its tools: ${messageOf(error)}`;
    throw new TypedError(
      'Input.Invalid',
      `${capitalized(message)}\nSee tools.mcp.${name}.${setting} in the configuration.`,
      {
        cause: error,
      },
    );
  }
}

async function listTools(client: Client, signal: AbortSignal): Promise<readonly Tool[]> {
  const found: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each page names the next
    const { tools, nextCursor } = await client.listTools(cursor === undefined ? {} : { cursor }, { signal });
    found.push(...tools);
    if (nextCursor === undefined) break;
    cursor = nextCursor;
  }
  return found;
}

function toolOf(tool: Tool, connection: Connection, { name: server, config }: McpServerOptions): LoadedTool {
  const parameters = parametersOf(tool.inputSchema);
  const { timeout, attempts } = config;
  return {
    name: tool.name,
    place: `${tool.name} of the MCP server ${server}`,
    fallback: asIdentifier(`${server}_${tool.name}`),
    description: { doc: docOf(tool, parameters, server), parameters: parameters.list, timeout, attempts },
    check: argumentsCheck(tool, parameters),
    run: (args, signal) => connection.with((client) => ask(client, { tool, args, signal, timeout }), signal),
  };
}

interface Asked {
  readonly tool: Tool;
  readonly args: unknown;
  readonly signal: AbortSignal;
  readonly timeout: number;
}

async function ask(client: Client, { tool, args, signal, timeout }: Asked): Promise<unknown> {
  const request = { name: tool.name, arguments: args as Record<string, unknown> };
  // Its own time limit comes a little after ours, which has the clearer message.
  const options = { signal, timeout: Math.min(timeout * 1000 + 5000, MAX_TIMER_MS) };
  return valueOf((await client.callTool(request, CallToolResultSchema, options)) as CallToolResult);
}

function docOf(tool: Tool, parameters: Parameters, server: string): string {
  const said = tool.description ?? tool.title ?? tool.annotations?.title ?? '';
  const { outputSchema } = tool;
  const returns =
    outputSchema === undefined ? '' : `Returns:\n    ${renderType(typeOf(outputSchema, outputSchema).type)}`;
  return docstring([said === '' ? `${tool.name} of the MCP server ${server}.` : said, parameters.doc, returns]);
}

function argumentsCheck(tool: Tool, parameters: Parameters): LoadedTool['check'] {
  const validate = validatorOf(tool);
  const known = new Set(parameters.list.map(({ name }) => name));
  return async (args) => {
    const unknown = Object.keys(args).find((name) => !known.has(name));
    if (unknown !== undefined) throw new TypedError('Input.Invalid', `there is no parameter ${unknown}`);
    const translated = parameters.translate(args);
    const problem = validate(translated);
    if (problem !== undefined) throw new TypedError('Input.Invalid', problem);
    return translated;
  };
}

/** Where a schema is beyond what can be checked here, the server does it alone. */
function validatorOf(tool: Tool): (value: unknown) => string | undefined {
  try {
    const validate = new AjvJsonSchemaValidator().getValidator(tool.inputSchema as JsonSchemaType);
    return (value) => {
      const { valid, errorMessage } = validate(value);
      if (valid) return undefined;
      return errorMessage.replaceAll(/\bdata\//g, '').replaceAll(/\bdata must\b/g, 'it must');
    };
  } catch {
    return () => undefined;
  }
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

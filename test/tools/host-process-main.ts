/** What `HostProcess` starts: one request at a time. */
import { TypedError } from '../../src/domain/failures.ts';
import { loadTools, type Tools } from '../../src/tools/index.ts';

type Request =
  | { readonly load: readonly string[]; readonly cwd: string }
  | { readonly call: string; readonly args: Readonly<Record<string, unknown>> };

let tools: Tools | undefined;

process.on('message', (request: Request) => {
  void answer(request)
    .catch((error: unknown) => ({
      type: error instanceof TypedError ? error.type : 'untyped',
      error: error instanceof Error ? error.message : String(error),
    }))
    .then((reply) => process.send?.(reply));
});

async function answer(request: Request): Promise<object> {
  if ('load' in request) {
    const { load: files, cwd } = request;
    tools = await loadTools({ files, mcp: {}, cwd, env: {}, log: console.error });
    return { descriptions: tools.descriptions };
  }
  return { value: await tools?.call(request.call, request.args, new AbortController().signal) };
}

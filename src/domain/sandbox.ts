/** Enough to find a sandbox again. */
export interface SandboxHandle {
  readonly provider: string;
  readonly id: string;
  readonly generation: number;
  /** The host it lives on, for providers whose sandboxes are reached from there only. */
  readonly host?: string;
}

/** A handle as it travels through a workflow: `<provider>:<generation>:<id>` and, on a host, `@<host>`. */
export type SandboxName = string;

export function formatHandle({ provider, generation, id, host }: SandboxHandle): SandboxName {
  return `${provider}:${generation}:${id}${host === undefined ? '' : `@${host}`}`;
}

/** @throws Error when it is not the name of a sandbox */
export function parseHandle(name: SandboxName): SandboxHandle {
  const match = /^([a-z]+):(\d+):([^@]+)(?:@(.+))?$/.exec(name);
  const [, provider, generation, id, host] = match ?? [];
  if (provider === undefined || generation === undefined || id === undefined)
    throw new Error(`"${name}" names no sandbox`);
  return { provider, generation: Number(generation), id, ...(host === undefined ? {} : { host }) };
}

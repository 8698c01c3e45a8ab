import { TypedError } from './failures.ts';

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

/** @throws TypedError `Input.Invalid` when it is not the name of a sandbox */
export function parseHandle(name: unknown): SandboxHandle {
  const match = typeof name === 'string' ? /^([a-z]+):(\d+):([^@]+)(?:@(.+))?$/.exec(name) : undefined;
  const [, provider, generation, id, host] = match ?? [];
  if (provider === undefined || generation === undefined || id === undefined)
    throw new TypedError('Input.Invalid', `"${String(name).slice(0, 80)}" names no sandbox`);
  return { provider, generation: Number(generation), id, ...(host === undefined ? {} : { host }) };
}

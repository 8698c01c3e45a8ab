import { splitAgentWorkflowId } from '../domain/ids.ts';
import { redactSecret } from '../redact.ts';
import type { Listener, WorkerEvent } from './events.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

/** One line an event. */
export interface Log {
  readonly level: LogLevel;
  write(level: LogLevel, message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  /** Variables that hold keys and tokens: their values are never written. */
  readonly env: NodeJS.ProcessEnv;
  /** Takes a line without its end. */
  readonly writeLine: (line: string) => void;
}

export function createLog({ format, level, env, writeLine }: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(level);
  return {
    level,
    write(of, message, fields = {}) {
      if (LOG_LEVELS.indexOf(of) < least) return;
      const time = new Date().toISOString();
      const line =
        format === 'json'
          ? JSON.stringify({ time, level: of, message, ...fields })
          : [time, of.toUpperCase().padEnd(5), message, ...Object.entries(fields).map(asText)].join(' ');
      writeLine(withoutSecrets(line.replaceAll('\n', String.raw`\n`), env));
    },
  };
}

function asText([name, value]: readonly [string, unknown]): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `${name}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
}

/** What variables with such names hold, if it is long enough to be a key. */
function withoutSecrets(line: string, env: NodeJS.ProcessEnv): string {
  return Object.entries(env).reduce((rest, [name, value]) => {
    if (value === undefined || value.length < 8 || !/KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|AUTH/i.test(name))
      return rest;
    return redactSecret(rest, value);
  }, line);
}

/** Run and agent of a workflow, instead of Temporal's names for them. */
export function fieldsOfWorkflow(workflowId: unknown): LogFields {
  if (typeof workflowId !== 'string' || workflowId === '') return {};
  return workflowId.includes('/') ? splitAgentWorkflowId(workflowId) : { run: workflowId };
}

/** Logs what a worker does. */
export function logEvents(log: Log): Listener {
  return (event) => {
    const { kind, ...fields } = event;
    log.write(LEVELS[kind]({ trouble: isTrouble(event) }), kind, fields);
  };
}

const LEVELS: Readonly<Record<WorkerEvent['kind'], (event: { readonly trouble: boolean }) => LogLevel>> = {
  'model call': ({ trouble }) => (trouble ? 'warn' : 'debug'),
  iteration: () => 'info',
  block: () => 'debug',
  'agent ended': ({ trouble }) => (trouble ? 'warn' : 'info'),
  'run ended': () => 'info',
  'sandbox created': () => 'debug',
  'sandbox lost': () => 'warn',
  sweep: ({ trouble }) => (trouble ? 'warn' : 'debug'),
};

function isTrouble(event: WorkerEvent): boolean {
  if (event.kind === 'model call') return event.outcome !== 'answered' && event.outcome !== 'cancelled';
  if (event.kind === 'sweep') return event.removed > 0;
  return event.kind === 'agent ended' && event.error !== undefined;
}

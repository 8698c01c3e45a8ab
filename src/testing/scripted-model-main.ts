/**
 * The scripted model as a process of its own, so that it survives whatever is killed around it. Prints one line of
 * JSON, `{"url", "pid"}`, when it listens.
 *
 *     node scripted-model-main.js --script module.js [--port N] [--latency-ms M] [--log file] [--idle-exit seconds]
 *
 * The module's default export is what `startScriptedModel` takes as `scripts`. SIGTERM ends it. Counts are had
 * from `GET /scripted` and `GET /scripted/calls`.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { errorMessage } from '../domain/error-message.ts';
import type { Scripts } from './script.ts';
import { startScriptedModel, type ScriptedModel } from './scripted-model.ts';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      script: { type: 'string' },
      port: { type: 'string', default: '0' },
      'latency-ms': { type: 'string', default: '200' },
      log: { type: 'string' },
      'idle-exit': { type: 'string' },
    },
  });
  if (values.script === undefined) throw new Error('say which script to play: --script module.js');
  const logFile = values.log;
  const model = await startScriptedModel({
    scripts: await loadScripts(values.script),
    port: wholeNumber('--port', values.port),
    latencyMs: wholeNumber('--latency-ms', values['latency-ms']),
    ...(logFile === undefined ? {} : { logFile }),
  });
  process.stdout.write(`${JSON.stringify({ url: model.url, pid: process.pid })}\n`);
  const end = (): void => void model.close({ check: false }).then(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  if (values['idle-exit'] !== undefined) endWhenIdle(model, wholeNumber('--idle-exit', values['idle-exit']), end);
}

async function loadScripts(path: string): Promise<Scripts> {
  const module: { default?: Scripts } = await import(pathToFileURL(resolve(path)).href);
  if (module.default === undefined) throw new Error(`${path} has no default export; export the scripts as default`);
  return module.default;
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${option} takes a whole number, not "${text}"`);
  return Number(text);
}

/** Seconds that the process which started it may take to install other things first. */
const UNTIL_FIRST_REQUEST = 1800;

function endWhenIdle(model: ScriptedModel, seconds: number, end: () => void): void {
  const started = Date.now();
  setInterval(() => {
    const pending = model.count((call) => call.outcome === 'pending') > 0;
    const last = model.calls.at(-1);
    const patience = last === undefined ? Math.max(seconds, UNTIL_FIRST_REQUEST) : seconds;
    if (!pending && Date.now() - (last?.at ?? started) > patience * 1000) end();
  }, 1000);
}

main().catch((error: unknown) => {
  process.stderr.write(`scripted model: ${errorMessage(error)}\n`);
  process.exit(1);
});

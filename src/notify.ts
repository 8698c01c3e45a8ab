import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { NotifyConfig } from './domain/config.ts';
import { errorMessage } from './domain/error-message.ts';
import type { Notice, Notify } from './domain/notice.ts';

/** Of the command, and of an attempt to reach the webhook: the end of a run waits for it. */
const TIMEOUT_MS = 10_000;
const ATTEMPTS = 2;
const FIRST_PAUSE_MS = 500;

/** What fails is logged. */
export function createNotify(
  { command, webhook, on }: NotifyConfig,
  { environment, log }: { readonly environment: NodeJS.ProcessEnv; readonly log: (line: string) => void },
): Notify {
  const attempt = async (what: string, act: () => Promise<void>): Promise<void> => {
    for (let count = 1; ; count += 1) {
      try {
        return await act();
      } catch (error) {
        if (count === ATTEMPTS) return log(`${what} failed: ${errorMessage(error)}`);
        await delay(FIRST_PAUSE_MS * 2 ** (count - 1));
      }
    }
  };
  return async (notice) => {
    if (!on.includes(notice.event)) return;
    await Promise.all([
      command === undefined ? undefined : attempt('notify.command', () => runCommand(command, notice, environment)),
      webhook === undefined ? undefined : attempt('notify.webhook', () => post(webhook, notice)),
    ]);
  };
}

/** The notice is its standard input, as JSON, and the most of it its environment. */
function runCommand([program = '', ...args]: readonly string[], notice: Notice, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: {
        ...env,
        RLM_EVENT: notice.event,
        RLM_RUN: notice.run,
        RLM_STATUS: notice.status,
        RLM_REASON: notice.reason ?? '',
        RLM_NEXT: notice.next,
      },
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-500)));
    child.stdin.on('error', () => undefined); // It need not read it.
    child.stdin.end(`${JSON.stringify(notice)}\n`);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${signal ?? code}${said === '' ? '' : `: ${said.trim()}`}`));
    });
  });
}

async function post(url: string, notice: Notice): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // Chat services show `text`.
    body: JSON.stringify({ ...notice, text: textOf(notice) }),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  // The address may be a secret: it is not repeated.
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
}

function textOf({ run, status, reason, answer, next }: Notice): string {
  const what = reason ?? answer;
  return `Run ${run}: ${status}${what === null ? '' : ` (${what})`}. ${next}`;
}

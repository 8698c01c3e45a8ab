import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { configureProblem } from '../domain/check-configure.ts';
import type { RunRequest } from '../domain/contract.ts';
import { configureMessage } from '../domain/messages.ts';
import { runActivities } from './activities.ts';
import { failPlainly } from './failure.ts';
import { refusedUpdate } from './messages.ts';

/**
 * Lets a person change which models a run asks, and how.
 *
 * @param started - what the run was started with
 * @param of.isBegun whether what was prepared is recorded; messages that come before wait for it
 */
export function onConfigure(
  started: RunRequest,
  of: { readonly run: string; readonly execution: string; readonly isBegun: () => boolean },
): void {
  const { run, execution, isBegun } = of;
  setHandler(
    defineUpdate<void, [RunRequest['input']]>(configureMessage),
    async (given) => {
      await condition(isBegun);
      const request = { type: started.type, input: given } as RunRequest;
      await runActivities({ summary: 'change the configuration' })
        .configureRun({ run, execution, ...request })
        .catch(failPlainly);
    },
    {
      description:
        'Ask models otherwise from the next call on. {config: {model: {...}}}; what else the input of the start has may be given as it was',
      validator(given) {
        const problem = configureProblem(started.type, { ...started.input }, given);
        if (problem !== undefined) throw refusedUpdate(configureMessage, problem);
      },
    },
  );
}

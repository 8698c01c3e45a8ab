import { text } from 'node:stream/consumers';
import type { Told } from '../client/temporal-runs.ts';
import { questionContent } from '../results/question-content.ts';
import { findOpenRun, hasEnded } from './find-run.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, type Io } from './io.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withSession } from './session.ts';

export interface SteerOptions extends TemporalOptions {
  readonly agent?: string;
}

export interface DecisionOptions extends TemporalOptions {
  readonly reason?: string;
  readonly show?: boolean;
}

/** `rlm steer`. */
export function steer(io: Io, run: string, given: string, { agent, ...options }: SteerOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const message = given === '-' ? await text(io.stdin) : given;
    if (message.trim() === '') throw new CommandError('The message is empty: say what the agent is to know.');
    const { runs } = await findOpenRun(session, run, (line) => say(io, line));
    const told = await runs.tell(run, { name: 'steer', message, ...(agent === undefined ? {} : { agent }) });
    return answer(io, run, told, `Agent ${agent ?? '0'} of run ${run} is shown the message at its next iteration.`);
  });
}

/** `rlm approve` and `rlm reject`. */
export function decide(
  io: Io,
  name: 'approve' | 'reject',
  { run, question }: { readonly run: string; readonly question: string | undefined },
  { reason, show, ...options }: DecisionOptions,
): Promise<number> {
  return withSession(io, options, async (session) => {
    const { runs } = await findOpenRun(session, run, (line) => say(io, line));
    if (show === true) {
      const questions = (await runs.state(run))?.questions ?? [];
      const shown = questions.filter(({ id }) => question === undefined || id === question);
      if (shown.length === 0) throw new CommandError(`Run ${run} asks nothing now.`, EXIT_FAILED);
      for (const each of shown) {
        say(io, `${each.id}: agent ${each.agent}: ${each.text}`);
        // oxlint-disable-next-line no-await-in-loop -- in their order
        io.stdout.write(await questionContent(session.blobs, each));
      }
      return EXIT_DONE;
    }
    const told = await runs.tell(run, {
      name,
      ...(question === undefined ? {} : { question }),
      ...(reason === undefined ? {} : { reason }),
    });
    const what = question === undefined ? 'all that was asked' : question;
    return answer(io, run, told, `Run ${run}: ${what} is ${name === 'approve' ? 'approved' : 'rejected'}.`);
  });
}

function answer(io: Io, run: string, told: Told, accepted: string): number {
  say(io, whatCameOf(run, told, accepted));
  return EXIT_DONE;
}

/**
 * What came of a message, for its sender.
 *
 * @throws CommandError where the run has ended, or refuses it
 */
export function whatCameOf(run: string, told: Told, accepted: string): string {
  if (told.kind === 'ended') throw hasEnded(run);
  if (told.kind === 'refused') throw new CommandError(told.reason, EXIT_FAILED);
  if (told.kind === 'accepted') return accepted;
  return `No worker is running; run ${run} gets it when one does. rlm resume ${run} starts one.`;
}

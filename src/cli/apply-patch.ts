import { resolve } from 'node:path';
import type { RunReport } from '../client/report-run.ts';
import { readPatch } from '../results/run-document.ts';
import { findRepository } from '../sandbox/repository/find-repository.ts';
import { runGit, type GitResult } from '../sandbox/repository/git.ts';
import { withLocalRepository } from '../sandbox/repository/local-repository.ts';
import { comparingSettings, userSettings } from '../sandbox/repository/user-config.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { shellWord } from './command-name.ts';
import { say, type Io } from './io.ts';
import { look } from './look.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';
import { withoutPatch } from './summary-lines.ts';

export interface ApplyOptions extends TemporalOptions {
  readonly check?: boolean;
}

/** `rlm apply`: a run's patch on a working tree, all of it or nothing. */
export function applyPatch(io: Io, run: string, folder: string, options: ApplyOptions): Promise<number> {
  return look(io, run, options, async (session, report) => {
    const patch = await patchOf(session.blobs, report);
    if (patch === undefined) {
      say(io, `${withoutPatch(run, report.snapshot?.run.outcome?.notes ?? [])} There is nothing to apply.`);
      return EXIT_DONE;
    }
    const { repository } = await report.reader.specification(report.snapshot?.run ?? never(run));
    return withWorkTree(resolve(io.cwd, folder), async (tree, git) => {
      if (repository !== undefined && (await git(['cat-file', '-e', `${repository.commit}^{commit}`])).code !== 0)
        throw new CommandError(
          `${tree} is another repository: the run worked on ${repository.name}, whose commit ${repository.commit.slice(0, 12)} is not in it. ` +
            `Name its folder: rlm apply ${run} <folder>`,
        );
      const checked = await git(['apply', '--check', '-'], patch);
      if (checked.code !== 0) {
        if ((await git(['apply', '--check', '--reverse', '-'], patch)).code === 0) {
          say(io, `The patch of run ${run} is in ${tree} already: there is nothing to apply.`);
          return EXIT_DONE;
        }
        const three = `rlm patch ${run} | git -C ${shellWord(tree)} apply --3way`;
        throw new CommandError(
          `The patch does not apply to ${tree}, and nothing was changed: ${checked.stderr.trim().replaceAll('\n', '; ')}. ` +
            `To merge it, with conflicts marked: ${three}`,
          EXIT_FAILED,
        );
      }
      const { stdout: files } = await git(['apply', '--numstat', '-'], patch);
      const count = files.trim().split('\n').length;
      const what = `${count} ${count === 1 ? 'file' : 'files'} in ${tree}`;
      if (options.check === true) {
        say(io, `The patch of run ${run} applies: it would change ${what}.`);
        return EXIT_DONE;
      }
      const applied = await git(['apply', '-'], patch);
      if (applied.code !== 0) throw new CommandError(`git apply failed: ${applied.stderr.trim()}`, EXIT_FAILED);
      say(io, `The patch of run ${run} is applied: it changed ${what}. git -C ${shellWord(tree)} diff shows it.`);
      return EXIT_DONE;
    });
  });
}

async function patchOf(
  blobs: Parameters<typeof readPatch>[0],
  { run, snapshot, status }: RunReport,
): Promise<Uint8Array | undefined> {
  const outcome = snapshot?.run.outcome;
  if (outcome === undefined)
    throw new CommandError(`Run ${run} has not ended (${status}): there is no patch yet.`, EXIT_FAILED);
  return readPatch(blobs, outcome);
}

function never(run: string): never {
  throw new CommandError(`Run ${run} has stored nothing.`, EXIT_FAILED);
}

type Git = (args: readonly string[], input?: Uint8Array) => Promise<GitResult>;

/**
 * git in a working tree, with nothing of its configuration that runs a program: filters, and where missing objects come from.
 */
async function withWorkTree(folder: string, work: (tree: string, git: Git) => Promise<number>): Promise<number> {
  if ((await findRepository(folder).catch(() => undefined))?.workTree === undefined)
    throw new CommandError(`${folder} is not in a working tree of git.`);
  return withLocalRepository(folder, async ({ top, view, settings }) => {
    const config = comparingSettings([...(await userSettings()), ...settings]);
    return work(top, (args, input) =>
      runGit(['-C', top, ...args], {
        gitDirectory: view,
        workTree: top,
        config,
        ...(input === undefined ? {} : { input }),
      }),
    );
  });
}

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { RunReport } from '../client/report-run.ts';
import { readPatch } from '../results/run-document.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { shellWord } from './command-name.ts';
import { say, type Io } from './io.ts';
import { look } from './look.ts';
import type { TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';

export interface ApplyOptions extends TemporalOptions {
  readonly check?: boolean;
}

/** `rlm apply`: a run's patch on a working tree, all of it or nothing. */
export function applyPatch(io: Io, run: string, folder: string, options: ApplyOptions): Promise<number> {
  return look(io, run, options, async (session, report) => {
    const patch = await patchOf(session.blobs, report);
    if (patch === undefined) {
      say(io, `Run ${run} changed nothing: there is nothing to apply.`);
      return EXIT_DONE;
    }
    const tree = await workTree(resolve(io.cwd, folder));
    const { repository } = await report.reader.specification(report.snapshot?.run ?? never(run));
    if (repository !== undefined && (await git(tree, ['cat-file', '-e', `${repository.commit}^{commit}`])).code !== 0)
      throw new CommandError(
        `${tree} is another repository: the run worked on ${repository.name}, whose commit ${repository.commit.slice(0, 12)} is not in it. ` +
          `Name its folder: rlm apply ${run} <folder>`,
      );
    const checked = await git(tree, ['apply', '--check', '-'], patch);
    if (checked.code !== 0) {
      const three = `rlm patch ${run} | git -C ${shellWord(tree)} apply --3way`;
      throw new CommandError(
        `The patch does not apply to ${tree}, and nothing was changed: ${checked.stderr.trim().replaceAll('\n', '; ')}. ` +
          `To merge it, with conflicts marked: ${three}`,
        EXIT_FAILED,
      );
    }
    const { stdout: files } = await git(tree, ['apply', '--numstat', '-'], patch);
    const count = files.trim().split('\n').length;
    const what = `${count} ${count === 1 ? 'file' : 'files'} in ${tree}`;
    if (options.check === true) {
      say(io, `The patch of run ${run} applies: it would change ${what}.`);
      return EXIT_DONE;
    }
    const applied = await git(tree, ['apply', '-'], patch);
    if (applied.code !== 0) throw new CommandError(`git apply failed: ${applied.stderr.trim()}`, EXIT_FAILED);
    say(io, `The patch of run ${run} is applied: it changed ${what}. git -C ${shellWord(tree)} diff shows it.`);
    return EXIT_DONE;
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

async function workTree(folder: string): Promise<string> {
  const { code, stdout, stderr } = await git(folder, ['rev-parse', '--show-toplevel']);
  if (code === 0) return stdout.trim();
  throw new CommandError(`${folder} is not in a working tree of git (${stderr.trim().split('\n')[0] ?? ''}).`);
}

interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The user's own git in a working tree that they named, as if they had typed it. */
async function git(folder: string, args: readonly string[], input?: Uint8Array): Promise<GitResult> {
  const child = spawn('git', ['-C', folder, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined); // It has ended, and says why.
  child.stdin.end(input);
  const ended = new Promise<number>((settle, reject) => {
    child.once('error', reject);
    child.once('close', (code) => settle(code ?? 1));
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

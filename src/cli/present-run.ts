import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { answerText } from '../results/export-agent.ts';
import type { RunDocument } from '../results/run-document.ts';
import { shellWord } from './command-name.ts';
import { exitCodeOf } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import { plural } from './live/format.ts';
import type { JsonOption, TalkOptions } from './options.ts';
import { writeOutput } from './output-file.ts';
import { presentAnalysis } from './present-analysis.ts';
import { summaryLines, withoutPatch } from './summary-lines.ts';
import { stringifyJson } from '../domain/ordered-json.ts';

/** Lines of an answer shown beside a patch; `rlm result` shows the whole. */
const ANSWER_LINES = 20;

/**
 * Prints what came of a run: the patch on standard output, or the answer where there is none or it went to a file;
 * the rest on standard error.
 *
 * @returns the exit code
 */
export async function presentRun(
  io: Io,
  cwd: string,
  document: RunDocument,
  options: TalkOptions & JsonOption & { readonly output?: string; readonly repo?: string },
): Promise<number> {
  if (document.type === 'analyze') {
    return presentAnalysis(io, cwd, document, options);
  }
  const patch = patchBytes(document);
  const ended = document.status !== 'paused';
  if (options.output !== undefined && ended) await writeOutput(cwd, options.output, patch ?? new Uint8Array());
  if (options.quiet !== true) for (const line of summaryLines(document)) say(io, line);
  else if (document.error !== null && ended) say(io, `rlm: ${document.error}`);
  if (options.json === true) {
    await writeJson(io, document);
  } else if (options.output !== undefined && ended) {
    if (options.quiet !== true) say(io, outputLine(document, patch, { ...options, cwd, output: options.output }));
    await printAnswer(io, document);
  } else if (patch === undefined) {
    await printAnswer(io, document);
  } else {
    if (options.quiet !== true) sayAnswer(io, document);
    await writeResult(io, patch);
    // Who sends it to a file or a program knows what to do with it.
    if (options.quiet !== true && io.stdout.isTTY)
      say(io, `\nTo apply it: ${applyCommand(document, { ...options, cwd })}`);
  }
  return exitCodeOf(document);
}

export function patchBytes({ patch, patch_base64 }: RunDocument): Uint8Array | undefined {
  if (patch_base64 !== undefined) return Buffer.from(patch_base64, 'base64');
  return patch === null ? undefined : Buffer.from(patch, 'utf8');
}

function outputLine(
  { run_id: run, notes }: RunDocument,
  patch: Uint8Array | undefined,
  { cwd, output, repo }: { readonly cwd: string; readonly output: string; readonly repo?: string },
): string {
  if (patch === undefined) return `${withoutPatch(run, notes)} ${output} is empty.`;
  const folder = folderOf(cwd, repo);
  const command =
    folder === undefined
      ? `rlm apply ${run} <folder>`
      : `git -C ${shellWord(folder)} apply ${shellWord(resolve(cwd, output))}`;
  return `The patch is in ${output}. To apply it: ${command}`;
}

function applyCommand(
  { run_id: run }: RunDocument,
  { cwd, repo }: { readonly cwd: string; readonly repo?: string },
): string {
  const folder = folderOf(cwd, repo);
  return `rlm apply ${run} ${folder === undefined ? '<folder>' : shellWord(folder)}`;
}

/** The repository, where it is a folder here. */
function folderOf(cwd: string, repo: string | undefined): string | undefined {
  return repo === undefined || !existsSync(resolve(cwd, repo)) ? undefined : resolve(cwd, repo);
}

export async function printAnswer(io: Io, document: RunDocument): Promise<void> {
  const text = answerLines(document);
  if (text !== undefined) await writeResult(io, text);
}

/** The answer of a repository's run as it is, the fields of an analysis as JSON; undefined where there is none. */
export function answerLines({ answer, type }: RunDocument): string | undefined {
  if (answer === null) return undefined;
  const text = type === 'analyze' ? stringifyJson(answer, 2) : answerText(answer);
  return text.endsWith('\n') ? text : `${text}\n`;
}

function sayAnswer(io: Io, { answer, run_id }: RunDocument): void {
  if (answer === null) return;
  const lines = answerText(answer).trimEnd().split('\n');
  say(io, `\n${lines.slice(0, ANSWER_LINES).join('\n')}`);
  const left = lines.length - ANSWER_LINES;
  if (left > 0) say(io, `… ${plural(left, 'more line')}: rlm result ${run_id}`);
  say(io, '');
}

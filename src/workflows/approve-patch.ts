import { isCancellation } from '@temporalio/workflow';
import type { RlmConfig } from '../domain/config.ts';
import { ROOT_AGENT } from '../domain/ids.ts';
import type { Question } from '../domain/messages.ts';
import { rejection } from './approvals.ts';
import type { Questions } from './questions.ts';
import type { RootEnd, Stopped } from './run-outcome.ts';

/** Where a person is to be asked: the result without its patch, if it is rejected. */
export async function approvePatch(
  { approve = [] }: RlmConfig,
  questions: Questions,
  { root, stopped }: { readonly root: RootEnd; readonly stopped: Stopped | undefined },
): Promise<RootEnd> {
  if (!approve.includes('patch') || stopped !== undefined || root.kind !== 'completed') return root;
  const { patch_ref: ref, ...rest } = root.result;
  if (ref === undefined) return root;
  const question: Question = {
    id: 'patch',
    agent: ROOT_AGENT,
    step: 'patch',
    ref,
    text: 'the run is to end with its patch',
  };
  // A run that is cancelled meanwhile ends without it.
  const decision = await questions.ask(question).catch((error: unknown) => {
    if (isCancellation(error)) return { approved: false, reason: 'the run was cancelled before it was approved' };
    throw error;
  });
  if (decision.approved) return root;
  const note = `There is no patch: ${rejection(decision.reason)}.`;
  return { kind: 'completed', result: { ...rest, notes: [...(rest.notes ?? []), note] } };
}

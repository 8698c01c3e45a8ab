import { agentDepth } from '../domain/ids.ts';
import type { BlockResult } from '../domain/kernel-protocol.ts';
import type { RunSpecification } from '../domain/records.ts';
import { checkOutputs, describeProblems } from '../domain/signature/check-value.ts';
import type { AgentContext } from './agent-context.ts';

/**
 * A block's result whose SUBMIT is known to fit. The kernel has checked it before; but the code shares a process with
 * that, and may have said anything.
 */
export function checkedResult(run: RunSpecification, scope: AgentContext, result: BlockResult): BlockResult {
  if (result.final === null || run.type !== 'analyze' || agentDepth(scope.agent) > 0) return result;
  const checked = checkOutputs(run.signature, result.final.value);
  if (checked.ok) return { ...result, final: { value: checked.values } };
  const error = `What was submitted does not fit the signature:\n${describeProblems(checked.problems)}`;
  return { ...result, status: 'error', final: null, error };
}

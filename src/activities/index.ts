import type { Activities } from '../domain/contract.ts';
import { act } from './act.ts';
import { answerPrompts } from './answer-prompts.ts';
import { closeAgent } from './close-agent.ts';
import { createSandbox } from './create-sandbox.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { withTypedFailures } from './failure.ts';
import { prepareInvestigation, recordOutcome } from './prepare.ts';
import { think } from './think.ts';

/** All side effects of the workflows, with what they need handed in once. */
export function createActivities(deps: ActivityDependencies): Activities {
  return withTypedFailures({
    prepareInvestigation: (input: Parameters<Activities['prepareInvestigation']>[0]) =>
      prepareInvestigation(deps, input),
    recordOutcome: (input: Parameters<Activities['recordOutcome']>[0]) => recordOutcome(deps, input),
    createSandbox: (input: Parameters<Activities['createSandbox']>[0]) => createSandbox(deps, input),
    think: (input: Parameters<Activities['think']>[0]) => think(deps, input),
    act: (input: Parameters<Activities['act']>[0]) => act(deps, input),
    answerPrompts: (input: Parameters<Activities['answerPrompts']>[0]) => answerPrompts(deps, input),
    closeAgent: (input: Parameters<Activities['closeAgent']>[0]) => closeAgent(deps, input),
  });
}

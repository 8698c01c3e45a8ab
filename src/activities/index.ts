import type { Activities, TaskReference } from '../domain/contract.ts';
import { act } from './act.ts';
import { answerPrompts } from './answer-prompts.ts';
import { callTool } from './call-tool.ts';
import { begin, turn } from './turn.ts';
import { closeAgent } from './close-agent.ts';
import { createSandbox } from './create-sandbox.ts';
import type { ActivityDependencies, Scoped } from './dependencies.ts';
import { withPatience, withTypedFailures } from './failure.ts';
import { prepareInvestigation } from './prepare.ts';
import { prepareAnalysis } from './prepare-analysis.ts';
import { recordOutcome } from './record-outcome.ts';
import { locateSandbox } from './locate-sandbox.ts';
import { rebuildSandbox } from './rebuild-sandbox.ts';
import { think } from './think.ts';
import { currentScope, takeOver } from './trajectory.ts';

/** Where the chain stands that an activity extends. */
type ChainPosition = { readonly head: string | TaskReference } | { readonly task: TaskReference };

/** All side effects of the workflows, with what they need handed in once. */
export function createActivities(deps: ActivityDependencies): Activities {
  /** An activity of an agent, told which agent it is for. */
  const ofAgent =
    <Input extends { readonly execution: string }, Result>(
      activity: (deps: ActivityDependencies, input: Scoped<Input>) => Promise<Result>,
    ) =>
    async (input: Input): Promise<Result> =>
      activity(deps, { ...input, scope: await currentScope(deps, input.execution) });
  /** The same for one that extends its chain: they follow one another, and an attempt ends the say of those before. */
  const extending = <Input extends { readonly execution: string } & ChainPosition, Result>(
    activity: (deps: ActivityDependencies, input: Scoped<Input>) => Promise<Result>,
  ): ((input: Input) => Promise<Result>) =>
    ofAgent<Input, Result>(async (own, input) => {
      await takeOver(own, input.scope, 'head' in input ? input.head : input.task);
      return activity(own, input);
    });
  const activities: Activities = {
    prepareInvestigation: (input) => prepareInvestigation(deps, input),
    prepareAnalysis: (input) => prepareAnalysis(deps, input),
    recordOutcome: (input) => recordOutcome(deps, input),
    createSandbox: ofAgent(createSandbox),
    begin: extending(begin),
    turn: withPatience(extending(turn)),
    rebuildSandbox: extending(rebuildSandbox),
    locateSandbox: ofAgent(locateSandbox),
    think: withPatience(extending(think)),
    act: withPatience(extending(act)),
    answerPrompts: withPatience(ofAgent(answerPrompts)),
    callTool: withPatience(ofAgent(callTool)),
    closeAgent: extending(closeAgent),
  };
  return withTypedFailures({ ...activities });
}

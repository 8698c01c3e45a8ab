/** `durable-rlm/testing`: a model whose replies are written in advance, over real HTTP. */
export { paidTwice, type ScriptedCall } from './call-record.ts';
export type { Conversation, ScriptedMessage } from './conversation.ts';
export {
  attempts,
  forTask,
  withCode,
  type Attempts,
  type ForTaskOptions,
  type Reply,
  type Script,
  type ScriptedReply,
  type ScriptFunction,
  type Scripts,
  type Step,
} from './script.ts';
export {
  startScriptedModel,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptedModelSummary,
} from './scripted-model.ts';
export {
  spawnScriptedModel,
  type ScriptedModelProcess,
  type ScriptedModelProcessOptions,
} from './scripted-model-process.ts';
export { killSwitchEnvironment, type PlannedKill } from './kill-switch.ts';

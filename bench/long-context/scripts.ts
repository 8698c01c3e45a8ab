/** The replies that solve the tasks of this folder: the module that a scripted model's process plays. */
import type { ScriptFunction } from '../../src/testing/index.ts';
import { analystReply } from './analyst.ts';
import { readerReply, type Reading } from './reader.ts';

export function longContextScripts(reading: Reading = {}): ScriptFunction {
  return (conversation) =>
    conversation.messages.length === 1 && conversation.messages[0]?.role === 'user'
      ? readerReply(conversation.last, reading)
      : analystReply(conversation);
}

export default longContextScripts();

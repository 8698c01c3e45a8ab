import { condition, defineQuery, proxyActivities, setHandler, sleep } from '@temporalio/workflow';
import { createIgnoredMessages, onMessage } from '../../src/workflows/messages.ts';

export interface NoteActivities {
  noteTimer(): Promise<void>;
  noteMessage(): Promise<void>;
}

/** A workflow that does something when a timer fires, and something else when it is told to. */
export async function messageBesideTimer(): Promise<void> {
  const { noteTimer, noteMessage } = proxyActivities<NoteActivities>({ startToCloseTimeout: '10s' });
  let isTold = false;
  onMessage('resume', createIgnoredMessages(), {
    description: 'Do something.',
    async apply() {
      await noteMessage();
      isTold = true;
    },
    reply: () => ({}),
  });
  setHandler(defineQuery('status'), () => (isTold ? 'told' : 'not told'));
  await sleep(1500);
  await noteTimer();
  await condition(() => isTold);
}

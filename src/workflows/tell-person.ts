import type { Notice } from '../domain/notice.ts';
import { runActivities } from './activities.ts';

/** Tells a person about a run that waits for them. */
export function tellPerson(run: string, notice: Pick<Notice, 'event' | 'status' | 'reason' | 'next'>): void {
  runActivities({ summary: `tell about ${notice.event === 'paused' ? 'the pause' : 'the question'}` })
    .sendNotice({ notice: { run, answer: null, cost: null, ...notice } })
    .catch(() => undefined); // The run may end meanwhile.
}

import { describe, expect, it } from 'vitest';
import { pauseMessage } from '../../src/domain/messages.ts';
import { createTellPaused } from '../../src/workflows/tell-paused.ts';
import { seeded, type Random } from '../chaos/random.ts';

/** A child, and a server that delivers what is on its way in any order. */
function childBehindServer(random: Random) {
  const onTheirWay: (() => void)[] = [];
  let isPaused = false;
  return {
    signal: (name: string) =>
      new Promise<void>((resolve) => {
        onTheirWay.push(() => {
          isPaused = name === pauseMessage;
          resolve();
        });
      }),
    /** @returns whether there was anything */
    deliverOne(): boolean {
      const [deliver] = onTheirWay.splice(random.between(0, onTheirWay.length - 1), 1);
      deliver?.();
      return deliver !== undefined;
    },
    get isPaused() {
      return isPaused;
    },
    set isPaused(paused) {
      isPaused = paused;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a child that gets pause and resume', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'is in the end what it was told last, in whatever order the server delivers (seed %i)',
    async (seed) => {
      const random = seeded(seed);
      const child = childBehindServer(random);
      const tellPaused = createTellPaused(child);
      let last = false;
      for (let step = 0; step < 30; step += 1) {
        if (random.next() < 0.5) {
          last = random.next() < 0.5;
          tellPaused(last ? { reason: 'lunch' } : undefined);
        } else child.deliverOne();
        // oxlint-disable-next-line no-await-in-loop -- one step after another
        if (random.next() < 0.5) await turn();
      }
      do {
        // oxlint-disable-next-line no-await-in-loop -- what has been delivered lets the next be sent
        await turn();
      } while (child.deliverOne());
      expect(child.isPaused).toBe(last);
    },
  );

  it('gets resume again where it may have paused itself', async () => {
    const child = childBehindServer(seeded(1));
    const tellPaused = createTellPaused(child);
    tellPaused(undefined);
    child.deliverOne();
    await turn();
    child.isPaused = true;
    tellPaused(undefined);
    child.deliverOne();
    expect(child.isPaused).toBe(false);
  });

  it('is told what comes after a message that could not be delivered', async () => {
    const heard: string[] = [];
    const tellPaused = createTellPaused({
      signal: (name: string) => {
        heard.push(name);
        return heard.length === 1 ? Promise.reject(new Error('not there')) : Promise.resolve();
      },
    });
    tellPaused({});
    tellPaused(undefined);
    await turn();
    expect(heard).toEqual(['pause', 'resume']);
  });
});

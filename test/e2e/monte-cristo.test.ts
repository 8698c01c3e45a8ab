import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { rowsOf } from '../../src/chart/rows-of.ts';
import { renderChart } from '../../src/chart/render-chart.ts';
import { chaptersOf } from '../../src/cli/demo/chapters-of.ts';
import { monteCristoScripts } from '../../examples/monte-cristo/script.ts';
import { readTask } from '../../src/cli/demo/scenario.ts';
import { wholeBook } from '../cli/demo/monte-cristo-book.ts';
import { createWorld, type World } from './world.ts';

const bookText = wholeBook();
let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.startWorker();
}, 60_000);
afterAll(() => world.close());

it.skipIf(bookText === undefined)(
  'the novel: 117 chapters, read in batches, become a typed list and a picture',
  { timeout: 120_000 },
  async () => {
    const { signature, task, plot } = readTask('monte-cristo');
    const chapters = chaptersOf(bookText ?? '');
    const model = await world.startModel({ scripts: monteCristoScripts() });
    const outcome = await world.analyze({
      id: 'novel',
      signature,
      inputs: { chapters, task },
      stored: true,
      model,
    });
    expect(outcome).toMatchObject({ status: 'completed', error: null, agents: 1 });
    const fields = (await world.answer(outcome)) as { wealth_data: Record<string, unknown>[] };
    const covered = new Set(fields.wealth_data.map(({ chapter }) => chapter));
    expect(chapters).toHaveLength(117);
    expect([...Array(117).keys()].filter((index) => !covered.has(index + 1))).toEqual([]);
    // One batch each of about ten chapters, and the one whose first answer was cut off.
    expect(model.count(({ turn }) => turn === 0)).toBeGreaterThan(12);
    const { svg, png } = await renderChart(rowsOf(fields, plot).rows, plot);
    for (const name of ['Dantès', 'Danglars', 'Villefort', 'Mercédès']) expect(svg).toContain(name);
    expect(Buffer.from(png).subarray(1, 4).toString()).toBe('PNG');
    // The text of the novel is in blobs only.
    const description = await world.client.workflow.getHandle('novel').describe();
    expect(description.historySize ?? Infinity).toBeLessThan(40_000);
    await vi.waitFor(async () => expect(await world.leftovers('novel')).toEqual([]), { timeout: 20_000 });
  },
);

import { expect, it } from 'vitest';
import { renderChart } from '../../src/chart/render-chart.ts';

const SPEC = { x: 'chapter', y: 'wealth', series: 'character' };

const BOTH = Array.from({ length: 60 }, (_, index) => [
  { chapter: index + 1, wealth: 1 + (index % 7), character: 'Dantès' },
  { chapter: index + 1, wealth: 9 - (index % 5), character: 'Mercédès & Co <1>' },
]).flat();

it('draws points and a line for each series, with title, axis titles and legend', async () => {
  const { svg, png, notes } = await renderChart(BOTH, SPEC);
  expect(svg).toContain('width="1100" height="600"');
  for (const text of ['wealth by chapter and character', '>chapter<', '>wealth<', '>character<', '>Dantès<']) {
    expect(svg).toContain(text);
  }
  expect(svg).toContain('>Mercédès &amp; Co &lt;1&gt;<');
  expect(linesOf(svg)).toHaveLength(2);
  expect(linesOf(svg).every((line) => pointsOf(line) === 60)).toBe(true);
  expect(sizeOf(png)).toEqual([1100, 600]);
  expect(notes).toEqual([]);
});

it('draws names with characters that no XML may hold', async () => {
  const { svg, png } = await renderChart([{ x: 1, y: 2, who: 'a\0b\u001b' }], { x: 'x', y: 'y', series: 'who' });
  expect(svg).toContain('a\uFFFDb\uFFFD');
  expect(sizeOf(png)).toEqual([1100, 600]);
});

it('smooths: a line does not go through every point, and stays within what there is', async () => {
  const rows = Array.from({ length: 60 }, (_, x) => ({ x, y: x % 2 === 0 ? 0 : 10 }));
  const { svg } = await renderChart(rows, { x: 'x', y: 'y' });
  const heights = heightsOf(linesOf(svg)[0] ?? '');
  expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(250);
});

it('joins the points of series that are too short to be smoothed, and shows a lone one', async () => {
  const rows = [
    { chapter: 3, wealth: 2, character: 'three' },
    { chapter: 1, wealth: 1, character: 'three' },
    { chapter: 2, wealth: 9, character: 'three' },
    { chapter: 2, wealth: 5, character: 'one' },
  ];
  const { svg } = await renderChart(rows, SPEC);
  expect(linesOf(svg).map(pointsOf)).toContain(3);
  expect(svg).not.toContain('NaN');
});

it('joins the points of a few, for nothing there is to be smoothed, unless it is told to', async () => {
  const rows = Array.from({ length: 9 }, (_, x) => ({ x, netWorth_usd: x * x }));
  const spec = { x: 'x', y: 'netWorth_usd' };
  const [plain, smoothed] = await Promise.all([renderChart(rows, spec), renderChart(rows, { ...spec, smooth: true })]);
  const heights = heightsOf(linesOf(plain.svg)[0] ?? '');
  const [lowest = 0, , , , , , , , highest = 0] = heights;
  for (const [x, height] of heights.entries()) {
    expect((lowest - height) / (lowest - highest)).toBeCloseTo((x * x) / 64, 2);
  }
  expect(heightsOf(linesOf(smoothed.svg)[0] ?? '')).not.toEqual(heights);
  expect(plain.svg).toContain('>netWorth_usd<');
});

it('goes through the mean where there are several values and it is told not to smooth', async () => {
  const rows = [1, 2, 3, 4, 5].flatMap((x) => [
    { x, y: x - 1 },
    { x, y: x + 1 },
  ]);
  const { svg } = await renderChart(rows, { x: 'x', y: 'y', smooth: false });
  expect(linesOf(svg).map(pointsOf)).toEqual([5]);
});

it('keeps the ends of long names, which tell them apart', async () => {
  const rows = Array.from({ length: 14 }, (_, index) =>
    [1, 2, 3].map((x) => ({ x, y: x * index, s: longName(index) })),
  );
  const { svg } = await renderChart(rows.flat(), { x: 'x', y: 'y', series: 's' });
  for (const index of [0, 9, 13]) expect(svg).toMatch(new RegExp(`>a very long [^<]*… ?[^<]*number ${index}<`));
  expect(svg).toContain('width="1100" height="600"');
});

const longName = (index: number): string => `a very long series name that nobody would want, number ${index}`;

it('draws points of several series apart, but none beyond the least and the greatest value', async () => {
  const rows = [0, 1, 2, 3].flatMap((x) => ['a', 'b', 'c'].map((s) => ({ x, y: x === 0 ? 0 : x === 1 ? 5 : 10, s })));
  const { svg } = await renderChart(rows, { x: 'x', y: 'y', series: 's', smooth: true });
  const line = heightsOf(linesOf(svg)[0] ?? '');
  const points = [...svg.matchAll(/transform="translate\([\d.]+,([\d.]+)\)" d="M[\d.]+,0A/g)].map((match) =>
    Number(match[1]),
  );
  expect(points).toHaveLength(12);
  expect(new Set(points.map((height) => height.toFixed(2))).size).toBe(9);
  expect(Math.max(...points)).toBeLessThanOrEqual(Math.max(...line) + 0.01);
  expect(Math.min(...points)).toBeGreaterThanOrEqual(Math.min(...line) - 0.01);
});

it.each([
  ['one row', [{ chapter: 1815, wealth: 3 }]],
  ['the same value everywhere', Array.from({ length: 9 }, (_, chapter) => ({ chapter, wealth: 4 }))],
  ['the same place everywhere', Array.from({ length: 9 }, (_, wealth) => ({ chapter: 4, wealth }))],
  ['four places, each many times', Array.from({ length: 80 }, (_, index) => ({ chapter: index % 4, wealth: index }))],
  ['large and negative numbers', [-1e12, 5, 1e12, 0.5, 3].map((wealth, chapter) => ({ chapter, wealth }))],
])('draws %s', async (_, rows) => {
  const { svg, png } = await renderChart(rows, { x: 'chapter', y: 'wealth' });
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(sizeOf(png)).toEqual([1100, 600]);
});

it('writes years as years', async () => {
  const { svg } = await renderChart(
    [1815, 1829, 1838, 1844].map((year) => ({ year, n: 1 })),
    { x: 'year', y: 'n' },
  );
  expect(svg).toContain('>1815<');
  expect(svg).not.toContain('1,8');
});

it('takes keys and series that mean something to the chart language', async () => {
  const rows = [1, 2, 3, 4, 5].map((index) => ({ 'a.b[0]': index, "it's": index, 'datum\\': { nested: index % 2 } }));
  const { svg } = await renderChart(rows, { x: 'a.b[0]', y: "it's", series: 'datum\\', title: 'Ünïcode, ok' });
  expect(svg).toContain('Ünïcode, ok');
  expect(svg).toContain('{"nested":1}');
});

it('shows forty series with a legend that is not cut', async () => {
  const rows = Array.from({ length: 400 }, (_, index) => ({
    chapter: Math.floor(index / 40),
    wealth: index % 17,
    character: `Character number ${index % 40}`,
  }));
  const { svg } = await renderChart(rows, SPEC);
  for (const index of [0, 20, 39]) expect(svg).toContain(`>Character number ${index}<`);
  expect(svg).toContain('width="1100" height="600"');
});

it('draws the largest of very many series, and says so', async () => {
  const rows = Array.from({ length: 900 }, (_, index) => ({
    chapter: index,
    wealth: index % 17,
    character: `number ${index < 60 ? index : index % 40}`,
  }));
  const { svg, notes } = await renderChart(rows, SPEC);
  expect(notes).toEqual(['Of 60 series, the 40 with most points are drawn.']);
  expect(svg).toContain('>number 39<');
  expect(svg).not.toContain('>number 40<');
});

it('draws a part of very many points, and says so', async () => {
  const rows = Array.from({ length: 30_000 }, (_, index) => ({ chapter: index, wealth: index % 100 }));
  const { svg, notes } = await renderChart(rows, { x: 'chapter', y: 'wealth' });
  expect(notes).toEqual(['Of the 30000 points, about 6000 are drawn; the lines follow them all.']);
  expect(svg.length).toBeLessThan(3_000_000);
});

it('says that letters are missing where the machine has no font, and what to install', async () => {
  const [without, complete] = await Promise.all([
    renderChart(BOTH, SPEC, { systemFonts: false }),
    renderChart(BOTH, SPEC),
  ]);
  expect(without.notes.join()).toContain('apt-get install fonts-dejavu-core');
  expect(sizeOf(without.png)).toEqual([1100, 600]);
  expect(without.svg).toBe(complete.svg);
  expect(without.png).not.toEqual(complete.png);
});

it('has nothing to draw when no row has numbers', async () => {
  await expect(renderChart([{ chapter: 'I', wealth: 1 }], SPEC)).rejects.toMatchObject({
    type: 'Input.Invalid',
    message:
      'There is nothing to plot: none of the 1 rows has a number or a date such as 2024-05-17 for chapter, and a number for wealth.',
  });
});

it.each([
  [
    'months of two years',
    24,
    (n: number) => `${2023 + Math.floor(n / 12)}-${pad((n % 12) + 1)}`,
    ['Jan 2023', 'Jul 2024'],
  ],
  ['days', 10, (n: number) => `2024-05-${pad(n + 11)}`, ['2024-05-11', '2024-05-15']],
  ['years', 5, (n: number) => String(2019 + n), ['2019', '2023']],
  [
    'hours of a day',
    12,
    (n: number) => `2024-05-17T${pad(n * 2)}:00:00+00:00`,
    ['2024-05-17 06:00', '2024-05-17 12:00'],
  ],
  ['days of three months', 90, (n: number) => new Date(n * 86_400_000).toISOString(), ['1970-02-01']],
  ['three days', 3, (n: number) => `2024-05-${pad(n + 17)}`, ['2024-05-17', '2024-05-18', '2024-05-19']],
  ['days of twenty years', 20, (n: number) => `${2000 + n}-06-17`, ['2004', '2010']],
  ['a long time', 200, (n: number) => `${1815 + n}-06-01`, ['1860', '2000']],
])('draws %s along the axis', async (_, count, when, labels) => {
  const rows = Array.from({ length: count }, (__, n) => ({ when: when(n), n: n * n }));
  const { svg, png, notes } = await renderChart(rows, { x: 'when', y: 'n', smooth: false });
  for (const label of labels) expect(svg).toContain(`>${label}<`);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(linesOf(svg).map(pointsOf)).toEqual([count]);
  expect(sizeOf(png)).toEqual([1100, 600]);
  expect(notes).toEqual([]);
});

it('places dates by how far they are apart, in whatever order they come', async () => {
  const rows = ['2024-01-11', '2024-01-01', '2024-01-03T00:00:00+00:00'].map((when) => ({ when, n: 1 }));
  const { svg } = await renderChart(rows, { x: 'when', y: 'n' });
  const [first = 0, second = 0, third = 0] = [...(linesOf(svg)[0] ?? '').matchAll(/[ML]([\d.]+),/g)].map(([, x]) =>
    Number(x),
  );
  expect((second - first) / (third - first)).toBeCloseTo(0.2, 2);
});

it('smooths over dates as over numbers', async () => {
  const rows = Array.from({ length: 60 }, (_, n) => ({
    when: new Date(n * 86_400_000).toISOString(),
    n,
    y: n % 2 === 0 ? 0 : 10,
  }));
  const [dates, numbers] = await Promise.all(['when', 'n'].map((x) => renderChart(rows, { x, y: 'y' })));
  const [one, other] = [dates, numbers].map((chart) => heightsOf(linesOf(chart?.svg ?? '')[0] ?? ''));
  expect(one).toHaveLength(60);
  for (const [index, height] of (one ?? []).entries()) expect(height).toBeCloseTo(other?.[index] ?? 0, 0);
});

it.each(['2024-05-17', '2024-05', '2024-05-17T10:30:00Z'])('shows a lone one, %s', async (when) => {
  const { svg } = await renderChart([{ when, n: 1 }], { x: 'when', y: 'n' });
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(svg).toMatch(/>(2024-05-17( \d\d:\d\d)?|May 2024)</);
});

const pad = (n: number): string => String(n).padStart(2, '0');

function linesOf(svg: string): string[] {
  return [
    ...svg.matchAll(/<path aria-label[^>]*role-description="line mark"[^>]*>|<path[^>]*stroke-width="3"[^>]*>/g),
  ].map(([path]) => / d="([^"]*)"/.exec(path)?.[1] ?? '');
}

function heightsOf(line: string): number[] {
  return [...line.matchAll(/[ML][\d.]+,([\d.]+)/g)].map((match) => Number(match[1]));
}

function pointsOf(line: string): number {
  return line.match(/[ML]/g)?.length ?? 0;
}

function sizeOf(png: Uint8Array): [width: number, height: number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

import type { TopLevelSpec } from 'vega-lite';
import { DAY, dateLabels } from './date-labels.ts';
import type { PlotSpec } from './plot-spec.ts';
import type { Scale } from './rows-of.ts';
import { shortNames } from './short-names.ts';
import { domainOf, extentOf, movedApart, needSmoothing, sampled, type Series } from './points.ts';

/** Of the whole picture, in pixels. */
const WIDTH = 1100;
const HEIGHT = 600;

/** Fonts that one system or another has; the last stands for whatever a browser uses. */
const FONT = 'Helvetica, Arial, Liberation Sans, DejaVu Sans, Noto Sans, Segoe UI, sans-serif';

/** Of the legend, in pixels. */
const LABEL = 14;
/** What vega takes a character to be without a screen; most are narrower. */
const CHARACTER = 0.8 * LABEL;
const SYMBOL = 50;

/** Characters of a name in the legend: fewer where many names need room. */
const MAX_NAME_CHARACTERS = 32;
const MAX_NAME_CHARACTERS_OF_MANY = 21;
const MANY = 15;

/** Told apart by most colour-blind readers (Okabe and Ito), the yellow darkened for a white ground. */
const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#B8860B', '#56B4E9', '#000000', '#7F7F7F'];

/** Fewer different values of x cannot be smoothed: their points are joined instead. */
const SMOOTHED_FROM = 4;

/** Neighbours that a smoothed point looks at: this share of the series, but no fewer than the number below. */
const BANDWIDTH = 0.12;
const NEIGHBOURS = 8;

/** Points that are drawn at most, over all series. */
export const DRAWN_POINTS = 6000;

/** Series with the same few whole numbers hide each other's points: they are drawn apart, by this share of the height. */
const APART = 0.006;
const FEW_LEVELS = 20;

type Layer = Extract<Extract<TopLevelSpec, { layer: unknown }>['layer'][number], { mark: unknown }>;
type Transform = NonNullable<Layer['transform']>[number];

/** The chart in the language of vega-lite, its data in it. */
export function vegaSpecification(named: readonly Series[], spec: PlotSpec, scale: Scale): TopLevelSpec {
  const all = withShortNames(named);
  const points = all.flatMap((series) => series.points);
  const share = Math.ceil(DRAWN_POINTS / all.length);
  const [places, values] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const domain = { x: domainOf(places, scale === 'dates' ? DAY : 1), y: domainOf(values) };
  const whole = { x: areWhole(places), y: areWhole(values) };
  const levels = new Set(points.map(({ y }) => y)).size;
  const smooth = spec.smooth ?? needSmoothing(all);
  const areApart = smooth && whole.y && levels <= FEW_LEVELS && all.length <= COLOURS.length;
  const shown = areApart ? movedApart(all, APART * (domain.y[1] - domain.y[0])) : all;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: WIDTH,
    height: HEIGHT,
    autosize: { type: 'fit', contains: 'padding' },
    padding: 16,
    background: 'white',
    title: spec.title ?? defaultTitle(spec),
    encoding: {
      x: scale === 'dates' ? dateAxis(spec.x, domain.x, places) : axis(spec.x, 'x', domain.x, whole.x),
      y: axis(spec.y, 'y', domain.y, whole.y),
      ...(spec.series === undefined ? {} : { color: legend(spec.series, all) }),
    },
    layer: [
      ...shown.map((series) => pointLayer(series, share, smooth)),
      ...all.map((series) => lineLayer(series, smooth, extentOf(values))),
    ],
    config: appearance(),
  };
}

function withShortNames(all: readonly Series[]): readonly Series[] {
  const names = shortNames(
    all.map(({ name }) => name),
    all.length > MANY ? MAX_NAME_CHARACTERS_OF_MANY : MAX_NAME_CHARACTERS,
  );
  return all.map((series, index) => {
    const name = names[index] ?? series.name;
    if (name === series.name) return series;
    const renamed = (points: Series['points']): Series['points'] => points.map((point) => ({ ...point, series: name }));
    return { ...series, name, points: renamed(series.points), trend: renamed(series.trend) };
  });
}

/** Faint beside a smoothed line. */
function pointLayer({ points, places }: Series, share: number, smooth: boolean): Layer {
  const beside = smooth ? { size: 26, opacity: 0.45 } : { size: 50, opacity: 0.9 };
  const look = places === 1 ? { size: 80, opacity: 1 } : beside;
  return { data: { values: [...sampled(points, share)] }, mark: { type: 'circle', aria: false, ...look } };
}

/** Kept within the data's bounds: a smoothed line would otherwise leave them at sharp turns. */
function lineLayer({ trend, places }: Series, smooth: boolean, [least, greatest]: readonly [number, number]): Layer {
  const mark: Layer['mark'] = { type: 'line', strokeWidth: 3, strokeCap: 'round', strokeJoin: 'round' };
  if (!smooth || places < SMOOTHED_FROM) {
    const mean: Transform = { aggregate: [{ op: 'mean', field: 'y', as: 'y' }], groupby: ['x', 'series'] };
    return { data: { values: [...trend] }, transform: [mean], mark };
  }
  const bandwidth = Math.min(1, Math.max(BANDWIDTH, NEIGHBOURS / trend.length));
  const transform: Transform[] = [
    { loess: 'y', on: 'x', groupby: ['series'], bandwidth, as: ['x', 'y'] },
    { filter: 'isValid(datum.y)' },
    { calculate: `clamp(datum.y, ${least}, ${greatest})`, as: 'y' },
  ];
  return { data: { values: [...trend] }, transform, mark };
}

function axis(key: string, field: 'x' | 'y', domain: readonly [number, number], whole: boolean): object {
  const small = domain.every((value) => Math.abs(value) < 10_000);
  return {
    field,
    type: 'quantitative',
    title: key,
    scale: { domain, nice: false, zero: false },
    // Years and chapters are no quantities: 1815, not 1,815.
    axis: whole ? { tickMinStep: 1, ...(small ? { format: 'd' } : {}) } : {},
  };
}

/** In UTC, as the texts were read. */
function dateAxis(key: string, domain: readonly [number, number], places: readonly number[]): object {
  return {
    field: 'x',
    type: 'temporal',
    title: key,
    scale: { type: 'utc', domain, nice: false },
    axis: dateLabels(places, domain),
  };
}

function legend(key: string, all: readonly Series[]): object {
  const range = all.length <= COLOURS.length ? { range: COLOURS.slice(0, all.length) } : { scheme: 'tableau20' };
  return {
    field: 'series',
    type: 'nominal',
    title: key,
    scale: { domain: all.map(({ name }) => name), ...range },
    legend: {
      orient: 'top',
      columns: columnsFor(all.map(({ name }) => name)),
      symbolType: 'stroke',
      symbolStrokeWidth: 4,
      symbolSize: 300,
      symbolOpacity: 1,
      symbolLimit: 60,
    },
  };
}

/** As many as there is room for; how wide text is can only be guessed without a screen. */
function columnsFor(names: readonly string[]): number {
  const room = WIDTH - 120;
  const widths = names.map((name) => name.length * CHARACTER + SYMBOL);
  if (widths.reduce((sum, width) => sum + width, 0) <= room) return names.length;
  return Math.max(1, Math.floor(room / Math.max(...widths)));
}

function appearance(): object {
  const quiet = '#d9d9d9';
  return {
    font: FONT,
    title: { fontSize: 20, fontWeight: 'bold', anchor: 'start', offset: 14 },
    axis: { labelFontSize: 13, titleFontSize: 15, titlePadding: 10, gridColor: '#ececec', tickColor: quiet },
    axisX: { grid: false },
    view: { stroke: quiet },
    legend: { labelFontSize: LABEL, titleFontSize: LABEL, labelLimit: 0, columnPadding: 18, offset: 14 },
  };
}

/** Keys as they are written, for that is how a reader knows them. */
function defaultTitle({ x, y, series }: PlotSpec): string {
  return `${y} by ${x}${series === undefined ? '' : ` and ${series}`}`;
}

function areWhole(values: readonly number[]): boolean {
  return values.every((value) => Number.isInteger(value));
}

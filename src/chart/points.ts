import type { PlotSpec } from './plot-spec.ts';
import { placeOf, type Row, type Scale } from './rows-of.ts';

/** A row as it is drawn. */
export interface Point {
  /** Of a date, milliseconds since the epoch. */
  readonly x: number;
  readonly y: number;
  readonly series: string;
}

/** The points of one colour, and how its line is drawn. */
export interface Series {
  readonly name: string;
  /** By x. */
  readonly points: readonly Point[];
  /** What its line is made of: the same, or means where there are too many. */
  readonly trend: readonly Point[];
  /** Different values of x. */
  readonly places: number;
}

/** Points beyond which nobody follows a line through each of them. */
const JOINED_POINTS = 25;

/** Beyond this, a line is smoothed over means: the time it takes grows with the square. */
const TREND_POINTS = 1000;

/** Name of the series of rows that do not say theirs. */
const UNNAMED = '(none)';

/** In the order in which series appear. */
export function seriesOf(rows: readonly Row[], spec: PlotSpec, scale: Scale): Series[] {
  const bySeries = Map.groupBy(
    rows.map((row) => pointOf(row, spec, scale)),
    ({ series }) => series,
  );
  return [...bySeries].map(([name, unordered]) => {
    const points = unordered.toSorted((one, other) => one.x - other.x);
    const places = new Set(points.map(({ x }) => x)).size;
    return { name, points, trend: thinned(points), places };
  });
}

/** Whether lines are better smoothed than drawn through every point. */
export function needSmoothing(all: readonly Series[]): boolean {
  return all.some(({ points, places }) => points.length > JOINED_POINTS || places < points.length);
}

/**
 * The same with points of the same few whole numbers apart from those of other series, which they would hide: by so
 * much above each other, and at the least and greatest value only inwards, for a chart that ends at 10 shows no 10.1.
 */
export function movedApart(all: readonly Series[], by: number): readonly Series[] {
  const [least, greatest] = extentOf(all.flatMap(({ points }) => points.map(({ y }) => y)));
  if (least === greatest) return all;
  const last = all.length - 1;
  return all.map((series, index) => {
    const moved = (y: number): number =>
      y + by * (y === greatest ? -index : y === least ? last - index : last / 2 - index);
    return { ...series, points: series.points.map((point) => ({ ...point, y: moved(point.y) })) };
  });
}

/** Those with most points, so many of them, in their order. */
export function largest(all: readonly Series[], most: number): readonly Series[] {
  const kept = new Set(all.toSorted((one, other) => other.points.length - one.points.length).slice(0, most));
  return all.filter((series) => kept.has(series));
}

/** Of what is to be drawn at most so many, evenly. */
export function sampled<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  const step = all.length / most;
  return Array.from({ length: most }, (_, index) => all[Math.floor(index * step)]).filter((one) => one !== undefined);
}

export function extentOf(values: readonly number[]): readonly [least: number, greatest: number] {
  return [
    values.reduce((one, other) => Math.min(one, other), Infinity),
    values.reduce((one, other) => Math.max(one, other), -Infinity),
  ];
}

/** Least and greatest, with some room on both sides so that no point lies on an axis: of a lone one, `unit`. */
export function domainOf(values: readonly number[], unit = 1): [least: number, greatest: number] {
  const [least, greatest] = extentOf(values);
  const room = least === greatest ? unit : (greatest - least) * 0.03;
  return [least - room, greatest + room];
}

function pointOf(row: Row, spec: PlotSpec, scale: Scale): Point {
  const { y, series } = spec;
  const x = placeOf(row, spec, scale) ?? Number.NaN;
  return { x, y: Number(row[y]), series: series === undefined ? '' : nameOf(row[series]) };
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined || value === '') return UNNAMED;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Neighbours are put together as their mean where there are more than can be smoothed in time. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= TREND_POINTS) return points;
  const together = Math.ceil(points.length / TREND_POINTS);
  return Array.from({ length: Math.ceil(points.length / together) }, (_, index) =>
    meanOf(points.slice(index * together, (index + 1) * together)),
  );
}

function meanOf(points: readonly Point[]): Point {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value / values.length, 0);
  return {
    x: mean(points.map(({ x }) => x)),
    y: mean(points.map(({ y }) => y)),
    series: points[0]?.series ?? UNNAMED,
  };
}

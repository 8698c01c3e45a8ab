/** In milliseconds. */
export const DAY = 86_400_000;

/** Labels that an axis has room for. */
const LABELS = 10;

/** Coarsest first. */
const UNITS = [
  { interval: 'year', days: 365, format: '%Y', begins: /-01-01T00:00:00.000Z$/ },
  { interval: 'month', days: 30, format: '%b %Y', begins: /-01T00:00:00.000Z$/ },
  { interval: 'day', days: 1, format: '%Y-%m-%d', begins: /T00:00:00.000Z$/ },
] as const;

/** Ticks and labels of a vega axis. */
export interface DateLabels {
  readonly format: string;
  readonly tickCount: (typeof UNITS)[number]['interval'] | number;
}

/** As coarse as the dates are, or coarser where there would be too many: whatever a label names, it names whole. */
export function dateLabels(places: readonly number[], [from, to]: readonly [number, number]): DateLabels {
  const counted = UNITS.map((unit) => ({ ...unit, count: (to - from) / (unit.days * DAY) }));
  const texts = [...new Set(places)].map((place) => new Date(place).toISOString());
  const unit = counted.find(({ begins, count }) => count > LABELS || texts.every((text) => begins.test(text)));
  if (unit === undefined) return { format: '%Y-%m-%d %H:%M', tickCount: LABELS / 2 };
  return { format: unit.format, tickCount: unit.count > LABELS ? LABELS : unit.interval };
}

import type { RunStatus } from '../src/viewer/model.ts';

export { dollars } from '../src/viewer/dollars.ts';

const MINUTE = 60;
const HOUR = 3600;

/** Two units at most, none of them empty: `0.4 s`, `12 s`, `1 min`, `1 min 5 s`, `2 h 3 min`. */
export function seconds(value: number): string {
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${Number(value.toFixed(1))} s`;
  const whole = Math.round(value);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return units([Math.floor(whole / MINUTE), 'min'], [whole % MINUTE, 's']);
  return units([Math.floor(whole / HOUR), 'h'], [Math.floor((whole % HOUR) / MINUTE), 'min']);
}

function units(...parts: readonly (readonly [value: number, unit: string])[]): string {
  return parts.flatMap(([value, unit]) => (value === 0 ? [] : [`${value} ${unit}`])).join(' ');
}

export function count(value: number): string {
  if (value < 10_000) return value.toLocaleString('en-US');
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString('en-US')} ${value === 1 ? one : many}`;
}

export function time(value: number | null): string {
  if (value === null) return '';
  const date = new Date(value - new Date(value).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16).replace('T', ' ');
}

export const STATUS_WORDS: Readonly<Record<RunStatus, string>> = {
  starting: 'starting',
  running: 'running',
  paused: 'paused',
  finishing: 'finishing',
  suspended: 'suspended: no worker',
  completed: 'completed',
  timed_out: 'timed out',
  cancelled: 'cancelled',
  failed: 'failed',
  terminated: 'terminated',
  unknown: 'not known',
};

/** Characters that would move, hide or turn what stands around them are shown as what they are. */
export function visible(text: string): string {
  return (
    text
      .replaceAll(
        /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g,
        (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase()}⟩`,
      )
      .replaceAll('\r\n', '\n')
      // oxlint-disable-next-line no-control-regex -- these are what is looked for
      .replaceAll(/[\u0000-\u0008\u000b-\u001f]/g, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))
  );
}

/** On one line, for a row. */
export function oneLine(text: string): string {
  return visible(text.replaceAll(/\s+/g, ' ').trim());
}

const DATE =
  /^(?<year>\d{4})(?:-(?<month>\d\d)(?:-(?<day>\d\d)(?:[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?<zone>Z|[+-]\d\d(?::?\d\d)?)?)?)?)?$/i;

const MINUTE = 60_000;

/**
 * Milliseconds since the epoch of what ISO 8601 and Python's `str()` write: `2024`, `2024-05`, `2024-05-17`,
 * `2024-05-17 10:30:00.5+02:00`. The beginning of what it names, in UTC unless it says otherwise; undefined for other
 * texts and for days and hours that there are not.
 */
export function readDate(text: string): number | undefined {
  const parts = DATE.exec(text.trim())?.groups;
  if (parts === undefined) return undefined;
  const { year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone } = parts;
  const time = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}Z`,
  );
  // JavaScript takes February 30 for March 1, and the hour 24 for the next day's first.
  if (Number.isNaN(time) || new Date(time).getUTCDate() !== Number(day)) return undefined;
  const offset = minutesOf(zone);
  return offset === undefined ? undefined : time - offset * MINUTE;
}

function minutesOf(zone = 'Z'): number | undefined {
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

import { TypedError } from '../domain/failures.ts';
import { nearestName } from '../domain/nearest-name.ts';

/** Which keys of the rows a chart shows. */
export interface PlotSpec {
  /** Key of the numbers, or the dates, along the horizontal axis. */
  readonly x: string;
  /** Key of the numbers along the vertical axis. */
  readonly y: string;
  /** Key by whose values rows are told apart: a line and a colour for each. Default: all rows are one series. */
  readonly series?: string;
  /**
   * Whether lines are smoothed. Default: where a series has more than 25 points, or several for the same x; else its
   * points are joined.
   */
  readonly smooth?: boolean;
  /** Default: made of the keys. */
  readonly title?: string;
}

const PARTS = ['x', 'y', 'series', 'smooth', 'title'] as const;
const EXAMPLE = 'A right one is x=chapter,y=wealth,series=character; beyond x and y all can be left out.';

/**
 * Reads what `--plot` is given: `x=chapter,y=wealth,series=character,smooth=no,title=Who is rich`. A title comes last
 * and may have commas.
 *
 * @throws TypedError `Input.Invalid` saying what is wrong and what a right one looks like
 */
export function parsePlot(text: string): PlotSpec {
  const { parts, title } = splitParts(text);
  const found = new Map<string, string>(title === undefined ? [] : [['title', title]]);
  for (const part of parts) {
    const [name, value] = readPart(part);
    if (found.has(name)) throw problem(`it says ${name}= twice.`);
    found.set(name, value);
  }
  for (const [name, value] of found) if (value === '') throw problem(`nothing comes after ${name}=.`);
  const [x, y, series] = [found.get('x'), found.get('y'), found.get('series')];
  if (x === undefined || y === undefined) {
    throw problem(`${x === undefined ? 'x' : 'y'}= is missing: the key whose values that axis shows.`);
  }
  return {
    x,
    y,
    ...(series === undefined ? {} : { series }),
    ...smoothOf(found.get('smooth')),
    ...(title === undefined ? {} : { title }),
  };
}

function smoothOf(text: string | undefined): Pick<PlotSpec, 'smooth'> {
  if (text === undefined) return {};
  if (text !== 'yes' && text !== 'no') throw problem(`smooth= is yes or no, not "${text}".`);
  return { smooth: text === 'yes' };
}

function splitParts(text: string): { parts: readonly string[]; title: string | undefined } {
  const titled = /(?:^|,)\s*title\s*=(.*)$/s.exec(text);
  const before = titled === null ? text : text.slice(0, titled.index);
  const parts = before === '' && titled !== null ? [] : before.split(',');
  return { parts, title: titled?.[1]?.trim() };
}

function readPart(part: string): [name: string, value: string] {
  const equals = part.indexOf('=');
  if (part.trim() === '') throw problem('a part of it is empty.');
  if (equals < 0) throw problem(`"${part.trim()}" has no "=".`);
  const name = part.slice(0, equals).trim();
  if (!PARTS.some((known) => known === name)) {
    const nearest = name.length < 3 ? undefined : nearestName(name, PARTS);
    const meant = nearest === undefined ? '' : ` Did you mean ${nearest}=?`;
    throw problem(`there is no "${name}=": its parts are x=, y=, series=, smooth= and title=.${meant}`);
  }
  return [name, part.slice(equals + 1).trim()];
}

function problem(what: string): TypedError {
  return new TypedError('Input.Invalid', `--plot cannot be read: ${what} ${EXAMPLE}`);
}

import { TypedError } from '../domain/failures.ts';
import { drawPng } from './draw-png.ts';
import { drawingLibraries } from './libraries.ts';
import type { PlotSpec } from './plot-spec.ts';
import { largest, seriesOf, type Series } from './points.ts';
import { isPlottable, scaleOf, wantedOf, type Row, type Scale } from './rows-of.ts';
import { DRAWN_POINTS, vegaSpecification } from './vega-specification.ts';

/** A chart, 1100 by 600 pixels. */
export interface Chart {
  readonly svg: string;
  readonly png: Uint8Array;
  /** What a reader should know of how it was drawn, a sentence each. */
  readonly notes: readonly string[];
}

export interface RenderOptions {
  /** False draws the PNG as on a machine without any font. Default true. */
  readonly systemFonts?: boolean;
}

/** Series that are drawn at most: more colours than these nobody tells apart. */
const DRAWN_SERIES = 40;

const NO_FONT =
  'The PNG has no text, because this machine has no font: install one (Debian: apt-get install fonts-dejavu-core; ' +
  'Alpine: apk add font-dejavu) and draw it again. The SVG is complete, a browser shows it with its own fonts.';

/**
 * Draws rows: their points, and for each series a line that joins them, or a smoothed one (loess; see
 * `PlotSpec.smooth`), which takes four different x. Rows without a place on the axes are left out, see `rowsOf`. Needs
 * neither a browser nor a network; its libraries are loaded when it is called.
 *
 * @throws TypedError `Input.Invalid` when no row can be drawn
 */
export async function renderChart(
  rows: readonly Row[],
  spec: PlotSpec,
  { systemFonts = true }: RenderOptions = {},
): Promise<Chart> {
  const scale = scaleOf(rows, spec);
  const shown = rows.filter((row) => isPlottable(row, spec, scale));
  if (shown.length === 0) {
    throw new TypedError(
      'Input.Invalid',
      `There is nothing to plot: none of the ${rows.length} rows has ${wantedOf(spec)}.`,
    );
  }
  const all = seriesOf(shown, spec, scale);
  const series = largest(all, DRAWN_SERIES);
  const svg = await drawSvg(series, spec, scale);
  const { bytes, hasText } = await drawPng(svg, { systemFonts });
  return { svg, png: bytes, notes: [...skippedNote(all, series), ...(hasText ? [] : [NO_FONT])] };
}

function skippedNote(all: readonly Series[], drawn: readonly Series[]): string[] {
  const points = drawn.reduce((sum, series) => sum + series.points.length, 0);
  return [
    ...(all.length > drawn.length ? [`Of ${all.length} series, the ${drawn.length} with most points are drawn.`] : []),
    ...(points > DRAWN_POINTS
      ? [`Of the ${points} points, about ${DRAWN_POINTS} are drawn; the lines follow them all.`]
      : []),
  ];
}

/** Characters that no XML may hold, however they are written; names of series may. */
const NO_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

async function drawSvg(series: readonly Series[], spec: PlotSpec, scale: Scale): Promise<string> {
  const { vega, compile } = await drawingLibraries();
  const compiled = compile(vegaSpecification(series, spec, scale), { logger: vega.logger(vega.Error) });
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return (await view.toSVG()).replaceAll(NO_XML, '\uFFFD');
  } finally {
    view.finalize();
  }
}

import { drawingLibraries } from './libraries.ts';

/** A drawing as pixels. */
export interface Png {
  readonly bytes: Uint8Array;
  /** False where this machine has no font: the picture then has lines and points, but no letter. */
  readonly hasText: boolean;
}

const A_LETTER =
  '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="30"><text x="5" y="20" font-size="16">è</text></svg>';

/**
 * Pixels of an SVG, with the fonts of this machine; without any text where it has none.
 *
 * @param systemFonts false leaves the machine's fonts alone
 */
export async function drawPng(svg: string, { systemFonts = true } = {}): Promise<Png> {
  const { renderAsync, Resvg } = await drawingLibraries();
  const font = { loadSystemFonts: systemFonts };
  const hasText = new Resvg(A_LETTER, { font }).innerBBox() !== undefined;
  const image = await renderAsync(svg, { font, background: 'white' });
  return { bytes: image.asPng(), hasText };
}

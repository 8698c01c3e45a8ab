/** The libraries that draw: optional dependencies, loaded only when something is drawn. */
import { TypedError } from '../domain/failures.ts';

const NAMES = 'vega, vega-lite and @resvg/resvg-js';

export interface DrawingLibraries {
  readonly vega: typeof import('vega');
  readonly compile: (typeof import('vega-lite'))['compile'];
  readonly renderAsync: (typeof import('@resvg/resvg-js'))['renderAsync'];
  readonly Resvg: (typeof import('@resvg/resvg-js'))['Resvg'];
}

/** @throws TypedError `Input.Invalid` where they are not installed */
export async function drawingLibraries(): Promise<DrawingLibraries> {
  try {
    const [vega, { compile }, { renderAsync, Resvg }] = await Promise.all([
      import('vega'),
      import('vega-lite'),
      import('@resvg/resvg-js'),
    ]);
    return { vega, compile, renderAsync, Resvg };
  } catch (error) {
    throw new TypedError(
      'Input.Invalid',
      `Charts need the packages ${NAMES}, which are optional and cannot be loaded here. ` +
        'Install durable-rlm again without --omit=optional, or leave the chart out.',
      { cause: error },
    );
  }
}

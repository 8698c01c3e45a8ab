/** Whether the whole series run (`npm run test:long`), or what shows the same in minutes (`npm test`). */
export const LONG = process.env['TEST_LONG'] === '1';

/** @returns a size or a list of cases: what everyday runs use, or what long ones do */
export function sized<T>(usual: T, long: T): T {
  return LONG ? long : usual;
}

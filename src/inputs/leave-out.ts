import { extname } from 'node:path';
import type { Found } from './find-files.ts';

const IMAGES = new Set('png jpg jpeg gif webp bmp tif tiff ico heic avif svg psd'.split(' ').map((each) => `.${each}`));
/** What programs write beside documents, for themselves. */
const OF_PROGRAMS = new Set([
  'package-lock.json',
  'npm-shrinkwrap.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'bun.lock',
  'Cargo.lock',
  'poetry.lock',
  'uv.lock',
  'Pipfile.lock',
  'Gemfile.lock',
  'composer.lock',
  'go.sum',
  'Thumbs.db',
  'desktop.ini',
]);

export type Reason = 'image' | 'lock file' | 'empty' | 'binary';

/** Why a file is no document, as far as its name says. */
export function reasonByName(name: string): Reason | undefined {
  const base = name.slice(name.lastIndexOf('/') + 1);
  if (IMAGES.has(extname(base).toLowerCase())) return 'image';
  // Office has `~$report.docx` beside a document that is open.
  return OF_PROGRAMS.has(base) || base.startsWith('~$') ? 'lock file' : undefined;
}

/** What a folder holds that is no document, counted by reason. */
export class LeftOut {
  readonly #counts = new Map<Reason, number>();
  readonly #faults: string[] = [];

  add(reason: Reason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** A document that cannot be read, and why. */
  fault(name: string, why: string): void {
    this.#faults.push(`${name} (${why})`);
  }

  /** `3 hidden, 1 image, 1 empty`; '' for nothing. */
  describe({ hidden, odd, unnameable, outside }: Pick<Found, 'hidden' | 'odd' | 'unnameable' | 'outside'>): string {
    const count = (reason: Reason): number => this.#counts.get(reason) ?? 0;
    const one = (number: number, single: string, several: string): string[] =>
      number === 0 ? [] : [`${number} ${number === 1 ? single : several}`];
    return [
      ...one(hidden, 'hidden', 'hidden'),
      ...one(count('image'), 'image', 'images'),
      ...one(count('lock file'), 'lock file', 'lock files'),
      ...one(count('empty'), 'empty', 'empty'),
      ...one(count('binary'), 'that looks binary', 'that look binary'),
      ...one(odd, 'that is no file', 'that are no files'),
      ...one(unnameable, 'whose name is not UTF-8', 'whose names are not UTF-8'),
      ...one(outside, 'link to a file elsewhere', 'links to files elsewhere'),
      ...one(this.#faults.length, 'that cannot be read', 'that cannot be read'),
    ].join(', ');
  }

  /** Those that cannot be read, the first of them by name. */
  faults(): string {
    const shown = this.#faults.slice(0, 5).join(', ');
    return this.#faults.length > 5 ? `${shown} and ${this.#faults.length - 5} more` : shown;
  }
}

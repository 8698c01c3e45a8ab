import { expect, it } from 'vitest';
import type { InputFormat } from '../../src/domain/kernel-protocol.ts';
import type { Field } from '../../src/domain/signature/field-type.ts';
import { parseType } from '../../src/domain/signature/notation.ts';
import type { Check } from '../../src/inputs/checking.ts';
import { checkCsv } from '../../src/inputs/csv-check.ts';
import { checkJson, checkJsonLines } from '../../src/inputs/json-check.ts';
import { kernelViews } from './kernel-summary.ts';

const CHECKS: Readonly<Record<Exclude<InputFormat, 'text'>, (field: Field, label: string) => Check>> = {
  csv: checkCsv,
  json: checkJson,
  jsonl: checkJsonLines,
};

/** Numbers that are the same in every run. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

/** What is said of the bytes when they come in pieces of this size; undefined where they are refused. */
function said(check: Check, bytes: Buffer, size: number): unknown {
  try {
    for (let start = 0; start < bytes.length; start += size) check.take(bytes.subarray(start, start + size));
    check.end();
    return check.summary();
  } catch (error) {
    expect(error).toMatchObject({ name: 'Input.Invalid' });
    return undefined;
  }
}

async function agrees(format: keyof typeof CHECKS, type: string, contents: readonly string[]): Promise<void> {
  const field = { name: 'value', type: parseType(type) };
  const views = await kernelViews(contents.map((content) => ({ ...field, format, bytes: Buffer.from(content) })));
  const theirs = views.map((view, index) => [contents[index], 'summary' in view ? view.summary : undefined]);
  for (const size of [1, 7, 100]) {
    const ours = contents.map((content) => [content, said(CHECKS[format](field, 'file'), Buffer.from(content), size)]);
    expect(ours).toEqual(theirs);
  }
}

/** Texts that are right, some of them with a character put in, taken out or changed. */
function spoilt(contents: readonly string[], marks: string, seed: number): string[] {
  const random = chance(seed);
  return contents.map((content, index) => {
    if (index % 3 === 0) return content;
    const place = random(content.length + 1);
    const mark = marks[random(marks.length)] ?? '';
    const left = [mark + content.slice(place), content.slice(place + 1), mark + content.slice(place + 1)];
    return content.slice(0, place) + (left[random(3)] ?? '');
  });
}

function randomValue(random: (below: number) => number, depth: number): unknown {
  const texts = ['', 'a', '\\', '"', '\\"]}', '{[,:', 'ä😀', '\n\t', '\u2028'];
  const simple = [null, true, false, 0, -1.5, 1e300, 12345, texts[random(texts.length)]];
  const kind = depth === 0 ? 2 + random(2) : random(8);
  if (depth > 3 || kind > 3) return simple[random(simple.length)];
  const items = Array.from({ length: random(6) }, () => randomValue(random, depth + 1));
  if (kind % 2 === 0) return items;
  return Object.fromEntries(items.map((item, index) => [`${texts[random(texts.length)]}${index}`, item]));
}

it('JSON is taken and refused as by the kernel, wherever its pieces are cut', async () => {
  const random = chance(3);
  const contents = Array.from({ length: 400 }, (_, index) =>
    JSON.stringify(randomValue(random, 0), undefined, index % 2 === 0 ? 1 : 0),
  );
  await agrees('json', 'Any', spoilt(contents, '[]{},:"\\ 1n\n', 5));
  await agrees('json', 'list | dict[str, Any]', spoilt(contents, '[]{},:"\\ 1n\n', 6));
});

it('so is JSON on lines', async () => {
  const random = chance(4);
  const contents = Array.from({ length: 300 }, () =>
    Array.from({ length: random(6) }, () => JSON.stringify(randomValue(random, 1))).join(
      random(2) === 0 ? '\n' : '\r\n',
    ),
  );
  await agrees('jsonl', 'list', spoilt(contents, '[]{},:"\\ 1n\n\v', 7));
});

it('so is CSV, row by row', async () => {
  const random = chance(9);
  const cell = (cells: readonly string[]): string => {
    const text = cells[random(cells.length)] ?? '';
    return /[",\r\n]/.test(text) || random(4) === 0 ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const numbers = ['1', '', '-20', ' 7 ', '+3', '1_000', '007'];
  const texts = ['', 'a', 'ä', '"', 'x,y', 'two\r\nlines', '2.5', '1e3', ' .5', 'in "quotes"', ' '];
  const contents = Array.from({ length: 600 }, () => {
    const end = random(2) === 0 ? '\n' : '\r\n';
    const rows = Array.from({ length: random(6) }, () => `${cell(numbers)},${cell(texts)}`);
    return rows.join(end) + (random(2) === 0 ? end : '');
  });
  // The header stays: one that the type cannot have is refused here even where no row follows.
  const tables = (seed: number) => spoilt(contents, ',"\r\n a1', seed).map((body) => `n,"m"\n${body}`);
  await agrees('csv', 'list[dict]', tables(10));
  await agrees('csv', 'list[{n: int | None, m: str | float | None}]', tables(11));
  await agrees('csv', 'list[{n: float | None, m?: float | str}]', tables(12));
});

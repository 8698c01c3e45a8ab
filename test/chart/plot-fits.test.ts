import { expect, it } from 'vitest';
import { checkPlotFits } from '../../src/chart/plot-fits.ts';
import { parsePlot } from '../../src/chart/plot-spec.ts';
import { parseSignature } from '../../src/domain/signature/notation.ts';

const check = (outputs: string, plot: string): void =>
  checkPlotFits(parseSignature(`a -> ${outputs}`).outputs, parsePlot(plot));

it.each([
  'b: list',
  'b: Any',
  'b: list[Any]',
  'b: list[dict]',
  'b: list[dict[str, float]]',
  'b: list[dict[str, int | str]]',
  "b: list[dict[Literal['x', 'y', 's'], float]]",
  'b: list[{x: int, y: float | None, s: str}]',
  'b: list[{x: Literal[1, 2], y?: Any, s: str}]',
  'b: list[{x: int, ...}]',
  'b: list[{x: str}] | list[{x: int, y: int, s: str}] | None',
  'b: list[str | {x: int, y: int, s: str}]',
  'b: tuple[{x: int, y: int, s: str}, ...]',
  'note: str, b: list[{x: int, y: int, s: str}]',
  // Texts can be dates.
  'b: list[{x: str, y: int, s: str}]',
  'b: list[{x: str | None, y: int, s: str}]',
  "b: list[{x: Literal['2024-01', '2024-02'], y: int, s: str}]",
])('lets %s pass: it may have such rows', (outputs) => {
  check(outputs, 'x=x,y=y,series=s');
});

it.each([
  ['b', 'x=a,y=b', 'none is a list of dicts. The outputs are b: str. '],
  ['b', 'x=a,y=b', 'or make an output a list[dict] or a list[{a: float, b: float}].'],
  ['b: dict[str, float], c: list[list[float]]', 'x=a,y=b', 'none is a list of dicts'],
  ['b: list[{x: int}]', 'x=x,y=z', 'in b there is no z. The outputs are b: list[{x: int}].'],
  ['b: list[{year: int, wealth: int}]', 'x=year,y=welth', 'there is no welth (did you mean wealth?)'],
  ['b: list[{x: str, y: bool}]', 'x=x,y=y', 'in b y is no number but bool. '],
  ['b: list[{x: bool, y: str}]', 'x=x,y=y', 'in b x is no number or date but bool and y is no number but str. '],
  ['b: list[{x: list[str], y: int}]', 'x=x,y=y', 'x is no number or date but list[str]'],
  [
    "b: list[{x: Literal['spring', 'fall'], y: int}]",
    'x=x,y=y',
    "x is no number or date but Literal['spring', 'fall']",
  ],
  ['b: list[{x: str}]', 'x=x,y=x', 'in b x is no number but str'],
  ['b: list[dict[str, str]]', 'x=x,y=y', 'in b y is no number but str'],
  ['b: list[dict[int, int]]', 'x=x,y=1', 'there is no x'],
  ['b: list[{x: int, y: int}]', 'x=x,y=y,series=who is', "there is no 'who is'."],
  ['b: list[{x: int}], c: list[{y: int}]', 'x=x,y=y', 'in b there is no y; in c there is no x'],
])('refuses %s with %s: %s', (outputs, plot, message) => {
  expect(() => check(outputs, plot)).toThrow(expect.objectContaining({ type: 'Input.Invalid' }));
  expect(() => check(outputs, plot)).toThrow(message);
});

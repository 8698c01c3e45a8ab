import { describe, expectTypeOf, it } from 'vitest';
import type { SignatureInputs, SignatureOutputs } from '../../src/domain/signature/inference.ts';

/** Checked by the compiler: `npm run check:types`. */
describe('the types of a signature, at compile time', () => {
  it('of the common ones', () => {
    type Question = 'docs: list[str], q -> answer: str, scores: list[float]';
    expectTypeOf<SignatureOutputs<Question>>().toEqualTypeOf<{ answer: string; scores: number[] }>();
    expectTypeOf<SignatureInputs<Question>>().toEqualTypeOf<{ readonly docs: readonly string[]; readonly q: string }>();
    type Book = 'chapters: list[str], task: str -> wealth_data: list[dict]';
    expectTypeOf<SignatureOutputs<Book>>().toEqualTypeOf<{ wealth_data: Record<string, unknown>[] }>();
    expectTypeOf<SignatureOutputs<'a -> b, c,'>>().toEqualTypeOf<{ b: string; c: string }>();
    expectTypeOf<SignatureOutputs<'-> b: bool'>>().toEqualTypeOf<{ b: boolean }>();
  });

  it('nested', () => {
    expectTypeOf<SignatureOutputs<'a -> b: dict[str, list[dict[str, tuple[int, str]]]]'>>().toEqualTypeOf<{
      b: Record<string, Record<string, [number, string]>[]>;
    }>();
    expectTypeOf<SignatureOutputs<'a -> b: list[list[int | None]], c: tuple[int, ...], d: tuple[()]'>>().toEqualTypeOf<{
      b: (number | null)[][];
      c: number[];
      d: [];
    }>();
  });

  it('choices and literals', () => {
    type Choices =
      `a -> b: Optional[int], c: Literal['yes', "it's", 3, -1, True, None], d: int|str|None, e: Union[str, list[int]]`;
    expectTypeOf<SignatureOutputs<Choices>>().toEqualTypeOf<{
      b: number | null;
      c: 'yes' | "it's" | 3 | -1 | true | null;
      d: number | string | null;
      e: string | number[];
    }>();
    expectTypeOf<SignatureOutputs<"a -> b: Literal['x, y -> z: [']">>().toEqualTypeOf<{ b: 'x, y -> z: [' }>();
    expectTypeOf<SignatureOutputs<"a -> b: dict[Literal['x', 'y'], int]">>().toEqualTypeOf<{
      b: { x?: number; y?: number };
    }>();
  });

  it('objects with known keys', () => {
    type Records = `a -> b: list[{chapter: int, event?: str, 'odd key': float}]`;
    expectTypeOf<SignatureOutputs<Records>>().toEqualTypeOf<{
      b: { chapter: number; event?: string; 'odd key': number }[];
    }>();
  });

  it('old names, bare names and what may be anything', () => {
    type Old = 'a -> b: List[str], c: typing.Dict[str, int], d: list, e: Any, f: (int), g: dict[int, str]';
    expectTypeOf<SignatureOutputs<Old>>().toEqualTypeOf<{
      b: string[];
      c: Record<string, number>;
      d: unknown[];
      e: unknown;
      f: number;
      g: Record<string, string>;
    }>();
  });

  it('inputs may be readonly, and their ints bigints', () => {
    expectTypeOf<SignatureInputs<'n: int, pairs: list[tuple[int, str]] -> b'>>().toEqualTypeOf<{
      readonly n: number | bigint;
      readonly pairs: readonly (readonly [number | bigint, string])[];
    }>();
  });

  it('what cannot be read is not typed', () => {
    expectTypeOf<SignatureOutputs<string>>().toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf<SignatureOutputs<'a: list[str -> b'>>().toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf<SignatureOutputs<'a'>>().toEqualTypeOf<Record<string, unknown>>();
    expectTypeOf<SignatureOutputs<'a -> b: strng'>>().toEqualTypeOf<{ b: unknown }>();
  });

  it('of a long signature', () => {
    expectTypeOf<SignatureOutputs<LongText>>().toEqualTypeOf<{ answer: string }>();
  });
});

type Part = 'name_of_a_field: dict[str, list[tuple[int, str, float | None]]], ';
type Parts = `${Part}${Part}${Part}${Part}`;
type LongText = `${Parts}${Parts}${Part} -> answer: str`;

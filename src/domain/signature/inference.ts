/**
 * The types of a signature's fields, read from its text at compile time.
 *
 *     type Outputs = SignatureOutputs<'docs: list[str], q -> answer: str, scores: list[float]'>;
 *     // { answer: string; scores: number[] }
 *
 * Only run time checks the text: one that is wrong (`a: lst[str] -> b`) compiles, and `analyze` refuses it before anything
 * is spent.
 *
 * As at run time: a field without a type is a str, objects may be written `{chapter: int, event?: str}`. Where the text
 * is not known at compile time or is wrong (`parseSignature` says how) the fields are `Record<string, unknown>`; a type
 * is unknown becomes `unknown`. The compiler gives up on texts of more than some 900 characters (TS2589): declare such a one
 * as `string`.
 *
 * An int is a `number`; one beyond 2^53 arrives as the text of its digits (see `checkOutputs`).
 */
export type SignatureOutputs<S extends string> = Simplify<Sides<S>[1]>;

/** The same for the inputs, whose lists may be readonly; an int may be a bigint. */
export type SignatureInputs<S extends string> = Simplify<{ readonly [K in keyof Sides<S>[0]]: Given<Sides<S>[0][K]> }>;

type Simplify<T> = { [K in keyof T]: T[K] };

type Given<T> = T extends number
  ? number extends T
    ? number | bigint
    : T
  : T extends readonly unknown[]
    ? { readonly [K in keyof T]: Given<T[K]> }
    : T extends object
      ? { readonly [K in keyof T]: Given<T[K]> }
      : T;

type Unread = Record<string, unknown>;

type Sides<S extends string> = string extends S
  ? [Unread, Unread]
  : Tokens<S> extends infer Parsed extends readonly string[]
    ? Fields<Parsed> extends [infer Inputs, ['->', ...infer Rest extends readonly string[]]]
      ? Fields<Rest> extends [infer Outputs, []]
        ? [Inputs, Outputs]
        : [Unread, Unread]
      : [Unread, Unread]
    : [Unread, Unread];

// Tokens: names, marks, `->`, `...`, and texts, which begin with a quotation mark.

type Mark = '[' | ']' | '{' | '}' | '(' | ')' | ',' | ':' | '|' | '?' | '.' | '=' | '*' | '/';
type Blank = ' ' | '\n' | '\t' | '\r';

/** `Word` is the name that is being read. */
type Tokens<
  S extends string,
  Parsed extends readonly string[] = [],
  Word extends string = '',
> = S extends `->${infer Rest}`
  ? Tokens<Rest, [...Ended<Parsed, Word>, '->']>
  : S extends `...${infer Rest}`
    ? Tokens<Rest, [...Ended<Parsed, Word>, '...']>
    : S extends `"${infer Text}"${infer Rest}`
      ? Tokens<Rest, [...Ended<Parsed, Word>, `"${Text}`]>
      : S extends `'${infer Text}'${infer Rest}`
        ? Tokens<Rest, [...Ended<Parsed, Word>, `"${Text}`]>
        : S extends `${infer First}${infer Rest}`
          ? First extends Mark
            ? Tokens<Rest, [...Ended<Parsed, Word>, First]>
            : First extends Blank
              ? Tokens<Rest, Ended<Parsed, Word>>
              : Tokens<Rest, Parsed, `${Word}${First}`>
          : Ended<Parsed, Word>;

type Ended<Parsed extends readonly string[], Word extends string> = Word extends '' ? Parsed : [...Parsed, Word];

/** What a part that cannot be read is: no pair. */
type Wrong = null;

// Fields up to the arrow or the end: [fields, what is left].

// oxlint-disable-next-line typescript/no-empty-object-type -- fields are added to it one by one
type Fields<T extends readonly string[], Parsed = {}> = T extends readonly [] | readonly ['->', ...string[]]
  ? [Parsed, T]
  : T extends readonly [infer Name extends string, ':', ...infer Rest extends readonly string[]]
    ? TypeOf<Rest> extends [infer Type, infer Left extends readonly string[]]
      ? AfterField<Left, Parsed & Record<Name, Type>>
      : Wrong
    : T extends readonly [infer Name extends string, ...infer Rest extends readonly string[]]
      ? AfterField<Rest, Parsed & Record<Name, string>>
      : Wrong;

type AfterField<T extends readonly string[], Parsed> = T extends readonly [',', ...infer Rest extends readonly string[]]
  ? Fields<Rest, Parsed>
  : T extends readonly [] | readonly ['->', ...string[]]
    ? [Parsed, T]
    : Wrong;

// Types: [type, what is left].

interface Simple {
  str: string;
  int: number;
  float: number;
  bool: boolean;
  None: null;
  NoneType: null;
  Any: unknown;
}

type TypeOf<T extends readonly string[]> =
  Single<T> extends [infer Type, infer Rest extends readonly string[]] ? Choice<Type, Rest> : Wrong;

/** After one member of a union. */
type Choice<Type, T extends readonly string[]> = T extends readonly ['|', ...infer Rest extends readonly string[]]
  ? Single<Rest> extends [infer Other, infer Left extends readonly string[]]
    ? Choice<Type | Other, Left>
    : Wrong
  : [Type, T];

type Single<T extends readonly string[]> = T extends readonly ['typing', '.', ...infer Rest extends readonly string[]]
  ? Single<Rest>
  : T extends readonly ['(', ...infer Rest extends readonly string[]]
    ? TypeOf<Rest> extends [infer Type, [')', ...infer Left extends readonly string[]]]
      ? [Type, Left]
      : Wrong
    : T extends readonly ['{', ...infer Rest extends readonly string[]]
      ? Keys<Rest>
      : T extends readonly ['tuple' | 'Tuple', '[', '(', ')', ']', ...infer Rest extends readonly string[]]
        ? [[], Rest]
        : T extends readonly ['Literal', '[', ...infer Rest extends readonly string[]]
          ? LiteralValues<Rest>
          : T extends readonly [infer Name extends string, '[', ...infer Rest extends readonly string[]]
            ? Arguments<Rest> extends [infer Types extends readonly unknown[], infer Left extends readonly string[]]
              ? [Generic<Name, Types>, Left]
              : Wrong
            : T extends readonly [infer Name extends string, ...infer Rest extends readonly string[]]
              ? [Named<Name>, Rest]
              : Wrong;

type Named<Name extends string> = Name extends keyof Simple
  ? Simple[Name]
  : Name extends 'list' | 'List' | 'tuple' | 'Tuple'
    ? unknown[]
    : Name extends 'dict' | 'Dict'
      ? Record<string, unknown>
      : unknown;

declare const ANY_NUMBER: unique symbol;

type Generic<Name extends string, Types extends readonly unknown[]> = Name extends 'list' | 'List'
  ? Types[0][]
  : Name extends 'dict' | 'Dict'
    ? Dict<Types[0], Types[1]>
    : Name extends 'tuple' | 'Tuple'
      ? Types extends readonly [infer Item, typeof ANY_NUMBER]
        ? Item[]
        : Types
      : Name extends 'Optional'
        ? Types[0] | null
        : Name extends 'Union'
          ? Types[number]
          : unknown;

/** Keys are strings in JSON; of those that are known, each may be missing. */
type Dict<Key, Value> = string extends Key
  ? Record<string, Value>
  : [Key] extends [string]
    ? { [K in Key]?: Value }
    : Record<string, Value>;

type Arguments<T extends readonly string[], Parsed extends readonly unknown[] = []> = T extends readonly [
  ']',
  ...infer Rest extends readonly string[],
]
  ? [Parsed, Rest]
  : T extends readonly ['...', ...infer Rest extends readonly string[]]
    ? AfterArgument<Rest, [...Parsed, typeof ANY_NUMBER]>
    : TypeOf<T> extends [infer Type, infer Rest extends readonly string[]]
      ? AfterArgument<Rest, [...Parsed, Type]>
      : Wrong;

type AfterArgument<T extends readonly string[], Parsed extends readonly unknown[]> = T extends readonly [
  ',',
  ...infer Rest extends readonly string[],
]
  ? Arguments<Rest, Parsed>
  : T extends readonly [']', ...infer Rest extends readonly string[]]
    ? [Parsed, Rest]
    : Wrong;

type LiteralValues<T extends readonly string[], Parsed = never> = T extends readonly [
  ']',
  ...infer Rest extends readonly string[],
]
  ? [Parsed, Rest]
  : T extends readonly [',', ...infer Rest extends readonly string[]]
    ? LiteralValues<Rest, Parsed>
    : T extends readonly [infer Value extends string, ...infer Rest extends readonly string[]]
      ? LiteralValues<Rest, Parsed | LiteralValue<Value>>
      : Wrong;

type LiteralValue<Text extends string> = Text extends `"${infer Value}`
  ? // What Python makes of an escape is not repeated here.
    Value extends `${string}\\${string}`
    ? string
    : Value
  : Text extends 'True'
    ? true
    : Text extends 'False'
      ? false
      : Text extends 'None'
        ? null
        : Text extends `${infer Value extends number}`
          ? Value
          : unknown;

// Objects with known keys, after their first brace.

// oxlint-disable-next-line typescript/no-empty-object-type -- keys are added to it one by one
type Keys<T extends readonly string[], Parsed = {}> = T extends readonly ['}', ...infer Rest extends readonly string[]]
  ? [Simplify<Parsed>, Rest]
  : T extends readonly ['...', ':', ...infer Rest extends readonly string[]]
    ? TypeOf<Rest> extends [unknown, infer Left extends readonly string[]]
      ? AfterKey<Left, Parsed & Record<string, unknown>>
      : Wrong
    : T extends readonly ['...', ...infer Rest extends readonly string[]]
      ? AfterKey<Rest, Parsed & Record<string, unknown>>
      : T extends readonly [infer Name extends string, '?', ...infer Rest extends readonly string[]]
        ? AfterName<Rest> extends [infer Type, infer Left extends readonly string[]]
          ? AfterKey<Left, Parsed & { [K in Unquoted<Name>]?: Type }>
          : Wrong
        : T extends readonly [infer Name extends string, ...infer Rest extends readonly string[]]
          ? AfterName<Rest> extends [infer Type, infer Left extends readonly string[]]
            ? AfterKey<Left, Parsed & { [K in Unquoted<Name>]: Type }>
            : Wrong
          : Wrong;

type AfterName<T extends readonly string[]> = T extends readonly [':', ...infer Rest extends readonly string[]]
  ? TypeOf<Rest>
  : [string, T];

type AfterKey<T extends readonly string[], Parsed> = T extends readonly [',', ...infer Rest extends readonly string[]]
  ? Keys<Rest, Parsed>
  : T extends readonly ['}', ...infer Rest extends readonly string[]]
    ? [Simplify<Parsed>, Rest]
    : Wrong;

type Unquoted<Name extends string> = Name extends `"${infer Text}` ? Text : Name;

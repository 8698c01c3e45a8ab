import { afterAll, describe, expect, it } from 'vitest';
import { Reading } from './reading.ts';
import { withoutDuplicates } from '../../src/inputs/table.ts';

const reading = new Reading();
afterAll(() => {
  reading.remove();
});

const rows = (content: string, name = 'a.csv', options = ''): Promise<unknown> =>
  reading.of('list[dict]', name, content, options).then(({ value }) => value);
const notes = (content: string, name = 'a.csv'): Promise<readonly string[]> =>
  reading.of('list[dict]', name, content).then((read) => read.notes);

describe('the delimiter is found', () => {
  it.each([
    [
      'semicolons, with decimal commas',
      'id;amount\n1;12,50\n2;7,00\n',
      [
        { id: '1', amount: '12,50' },
        { id: '2', amount: '7,00' },
      ],
    ],
    ['tabs', 'id\tamount\n1\t12\n', [{ id: '1', amount: '12' }]],
    ['pipes', 'id|amount\n1|a,b\n', [{ id: '1', amount: 'a,b' }]],
    [
      'commas, with semicolons in values',
      'id,note\n1,a;b\n2,c\n',
      [
        { id: '1', note: 'a;b' },
        { id: '2', note: 'c' },
      ],
    ],
    ['a sep= line', 'sep=;\nid;amount\n1;12,50\n', [{ id: '1', amount: '12,50' }]],
    ['a sep= line of another delimiter', 'sep=^\r\nid^a\r\n1^2\r\n', [{ id: '1', a: '2' }]],
    ['a sep= line in quotes', '"sep=|"\nid|a\n1|2\n', [{ id: '1', a: '2' }]],
    ['semicolons in a header alone', 'a;b;c\n', []],
    ['one column', 'name\nMüller, Anna\n'.replace(', ', ' '), [{ name: 'Müller Anna' }]],
    ['single quotes around all', "'a','b'\n'x,y','it''s'\n", [{ a: 'x,y', b: "it's" }]],
    ['quotes escaped by backslashes', '"a","b"\n"say \\"hi\\", he said","2"\n', [{ a: 'say "hi", he said', b: '2' }]],
  ])('%s', async (_what, content, expected) => {
    expect(await rows(content)).toEqual(expected);
  });

  it('also of .tsv, and of tables under another name', async () => {
    expect(await rows('id\tnote\n1\ta,b\n', 'a.tsv')).toEqual([{ id: '1', note: 'a,b' }]);
    expect(await rows('id,note\n1,b\n', 'b.tsv')).toEqual([{ id: '1', note: 'b' }]);
    expect(await rows('id;note\n1;b\n', 'export.txt')).toEqual([{ id: '1', note: 'b' }]);
    expect(await rows('id|note\n1|b\n', 'no-ending')).toEqual([{ id: '1', note: 'b' }]);
  });

  it('but not of prose', async () => {
    reading.write({
      'prose.txt': 'Dear Anna, thank you.\nI will come, as I said, on Monday.\n',
      'line.txt': 'Hello, world\n',
    });
    for (const name of ['prose.txt', 'line.txt']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await reading.refusal('v: list[dict]', [`v=@${name}`])).toContain(
        `${name} is a text, and the signature wants list[dict]: name a table (CSV, XLSX, Parquet) or JSON, or make the field a str`,
      );
    }
  });

  it('or named', async () => {
    expect(await rows('a,b;c\n1,2;3\n', 'n.csv', ';delimiter=;')).toEqual([{ 'a,b': '1,2', c: '3' }]);
    expect(await rows('a b\n1 2\n', 'n.csv', ';delimiter= ')).toEqual([{ a: '1', b: '2' }]);
    expect(await rows('a,b\tc\n1,2\t3\n', 'n.csv', ';delimiter=tab')).toEqual([{ 'a,b': '1,2', c: '3' }]);
    expect(await rows('a§b\n1§2\n', 'n.csv', ';delimiter=§')).toEqual([{ a: '1', b: '2' }]);
  });

  it('and said in one line', async () => {
    expect(await notes('id;amount\n1;12,50\n2;7,00\n')).toEqual([
      'value: read a.csv as CSV with semicolons: 2 rows, columns id, amount',
    ]);
    expect(await notes(`${Array.from({ length: 12 }, (_, index) => `c${index}`).join('\t')}\n`, 'wide.tsv')).toEqual([
      'value: read wide.tsv as CSV with tabs: 0 rows, columns c0, c1, c2, c3, c4, c5, c6, c7 and 4 more',
    ]);
  });
});

describe('line ends', () => {
  const expected = [
    { id: '1', amount: '12' },
    { id: '2', amount: '7' },
  ];
  it.each([
    ['CR', 'id,amount\r1,12\r2,7\r'],
    ['LF', 'id,amount\n1,12\n2,7\n'],
    ['CRLF', 'id,amount\r\n1,12\r\n2,7\r\n'],
    ['none at the end', 'id,amount\r1,12\r2,7'],
    ['mixed', 'id,amount\r\n1,12\n2,7\r'],
    ['with empty lines between', '\n\nid,amount\r\n\r\n1,12\n\n\n2,7\n\n'],
  ])('%s', async (_what, content) => {
    expect(await rows(content)).toEqual(expected);
  });

  it('stay what they are in quotes', async () => {
    expect(await rows('a,b\r\n"x\ny","x\r\ny"\r\n"x\ry",\r\n')).toEqual([
      { a: 'x\ny', b: 'x\r\ny' },
      { a: 'x\ry', b: '' },
    ]);
  });
});

describe('columns of the same name', () => {
  it.each([
    [
      ['x', 'x'],
      ['x', 'x.1'],
    ],
    [
      ['x', 'x', 'x'],
      ['x', 'x.1', 'x.2'],
    ],
    [
      ['x', 'x.1', 'x'],
      ['x', 'x.1', 'x.2'],
    ],
    [
      ['x', 'x', 'x.1'],
      ['x', 'x.2', 'x.1'],
    ],
    [
      ['x', 'y', 'x', 'y'],
      ['x', 'y', 'x.1', 'y.1'],
    ],
    [
      ['', 'a', ''],
      ['', 'a', '.1'],
    ],
  ])('%j are renamed as pandas does: %j', (given, expected) => {
    expect(withoutDuplicates(given)).toEqual(expected);
  });

  it('are told', async () => {
    const { value, notes: told } = await reading.of('list[dict]', 'twice.csv', 'x,y,x\n1,2,3\n');
    expect(value).toEqual([{ x: '1', y: '2', 'x.1': '3' }]);
    expect(told).toEqual([
      'value: read twice.csv as CSV with commas: 1 row, columns x, y, x.1',
      'value: twice.csv has columns of the same name; they were renamed: x to x.1',
    ]);
  });
});

describe('rows of odd lengths', () => {
  it('that are too short have None at their end, and are counted with their lines', async () => {
    const content = `a,b,c\n${Array.from({ length: 9 }, (_, index) => (index === 4 ? '1,2,3\n' : '1\n')).join('')}`;
    const { value, notes: told } = await reading.of('list[dict]', 'short.csv', content);
    expect((value as unknown[])[0]).toEqual({ a: '1', b: null, c: null });
    expect(told[1]).toBe(
      'value: short.csv: 8 of 9 rows have fewer values than the 3 columns: lines 2, 3, 4, 5, 7 and 3 more; what is missing is None',
    );
  });

  it('that are too long are an error with their number and lines, those after long values too', async () => {
    reading.write({ 'long.csv': 'a,b\r\n"x\r\ny",1\r\n1,2,3\r\n1,2\r\n1,2,3,4\r\n' });
    expect(await reading.refusal('v: list[dict]', ['v=@long.csv'])).toBe(
      'Input.Invalid: long.csv: 2 of 4 rows have more values than the 2 columns: lines 4, 6; ' +
        'put values that hold the delimiter in quotes, or name the delimiter (@long.csv;delimiter=...)',
    );
  });
});

it('a title above a table is told from the names of its columns', async () => {
  reading.write({ 'report.csv': 'Sales 2024\n\nregion,amount\nnorth,5\n' });
  expect(await reading.refusal('v: list[dict]', ['v=@report.csv'])).toBe(
    'Input.Invalid: report.csv: 2 of 2 rows have more values than the 1 column: lines 3, 4; the names of the columns were read ' +
      'from the first line, Sales 2024: delete what stands above them, or name the delimiter (@report.csv;delimiter=...)',
  );
});

it('comments above a table are told so too', async () => {
  reading.write({ 'comment.csv': '# exported by X\n# in 2024\nid,name\n1,a\n' });
  expect(await reading.refusal('v: list[dict]', ['v=@comment.csv'])).toContain(
    '2 of 3 rows have more values than the 1 column: lines 3, 4; the names of the columns were read from the first line, ' +
      '# exported by X: delete what stands above them',
  );
});

it('a title with a delimiter for each column is read, with a note', async () => {
  const { notes: told } = await reading.of(
    'list[dict]',
    'titled.csv',
    'Sales 2024;;\n;;\nregion;month;amount\nnorth;May;5\n',
  );
  expect(told).toContain(
    'value: titled.csv: 2 of 3 columns have no name in the first row; where the names stand below a title, or right of empty columns, delete what is before them',
  );
});

describe('delimiters that begin no value', () => {
  it.each([
    ['at the end of each line', 'a,b\n1,2,\n3,4,,\n'],
    ['of rows that are empty', 'a,b\n1,2\n3,4\n,,,\n'],
    ['in blank lines above the names', ';;\n  \na;b\n1;2\n3;4;\n'],
  ])('%s are no error', async (_where, content) => {
    const found = (await rows(content)) as Readonly<Record<string, string>>[];
    expect(found.slice(0, 2)).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ]);
  });

  it('but a file of blank lines alone is empty', async () => {
    reading.write({ 'blank.csv': '\n  \n\t\n' });
    expect(await reading.refusal('v: list[dict]', ['v=@blank.csv'])).toContain('blank.csv is empty');
  });
});

describe('names of columns that one does not see', () => {
  it('are shown in quotes', async () => {
    const { notes: told } = await reading.of('list[dict]', 'blanks.csv', 'id ,, name,\n1,2,3,4\n');
    expect(told).toContain("value: read blanks.csv as CSV with commas: 1 row, columns 'id ', '', ' name', .1");
    expect(told).toContain("value: blanks.csv has columns of the same name; they were renamed: '' to .1");
  });

  it.each(['id ', ' id', '\tid', '\u00a0id'])('%j is no column id, and why is told', async (name) => {
    reading.write({ 'blanks.csv': `${name},n\n1,2\n` });
    expect(await reading.refusal('v: list[{id: int, n: int}]', ['v=@blanks.csv'])).toContain(
      `blanks.csv has no column id; its columns are '${name}', n; '${name}' has blanks around it: remove them in the file`,
    );
  });
});

// The ideas of csv-spectrum: what readers of CSV get wrong.
it.each([
  [
    'a comma in quotes',
    'first,last,address\nJohn,Doe,"120 any st., Anytown"\n',
    [{ first: 'John', last: 'Doe', address: '120 any st., Anytown' }],
  ],
  [
    'nothing in fields',
    'a,b,c\n1,"",""\n2,3,4\n',
    [
      { a: '1', b: '', c: '' },
      { a: '2', b: '3', c: '4' },
    ],
  ],
  ['nothing in fields, CRLF', 'a,b,c\r\n1,"",""\r\n', [{ a: '1', b: '', c: '' }]],
  ['quotes within quotes', 'a,b\n1,"ha ""ha"" ha"\n', [{ a: '1', b: 'ha "ha" ha' }]],
  [
    'JSON in a field',
    'key,val\n1,"{""type"": ""Point"", ""at"": [1, 2]}"\n',
    [{ key: '1', val: '{"type": "Point", "at": [1, 2]}' }],
  ],
  ['line ends in quotes', 'a,b\n"Once upon \na time",5\n', [{ a: 'Once upon \na time', b: '5' }]],
  ['both', 'a,b\n1,"ha \n""ha"" \nha"\n', [{ a: '1', b: 'ha \n"ha" \nha' }]],
  ['UTF-8', 'a,b\n1,ʤ\n', [{ a: '1', b: 'ʤ' }]],
  ['blanks around values', 'a,b\n 1 ,  \n', [{ a: ' 1 ', b: '  ' }]],
  ['quotes in the middle', 'a,b\n5" disk,in "quotes"\n', [{ a: '5" disk', b: 'in "quotes"' }]],
  ['a value of one quote', 'a,b\n"""",x\n', [{ a: '"', b: 'x' }]],
  ['a comment that is none', 'a,b\n#1,2\n', [{ a: '#1', b: '2' }]],
])('%s', async (_what, content, expected) => {
  expect(await rows(content)).toEqual(expected);
});

describe('values have the types of their columns', () => {
  it('of numbers, booleans and None, with integers of any size', async () => {
    const { input, value } = await reading.of(
      'list[{n: int, x: float | None, ok: bool, s: str}]',
      'typed.csv',
      `n,x,ok,s\n${'9'.repeat(25)},1.5,TRUE,007\n-2,,False,\n`,
    );
    expect(Buffer.from(await reading.blobs.get(input.ref)).toString()).toBe(
      `{"n":${'9'.repeat(25)},"x":1.5,"ok":true,"s":"007"}\n{"n":-2,"x":null,"ok":false,"s":""}\n`,
    );
    expect(value).toHaveLength(2);
  });

  it('or the line is told', async () => {
    reading.write({ 'bad.csv': 'n\n1\n1,5\n'.replace('1,5', '"1,5"') });
    expect(await reading.refusal('v: list[{n: float}]', ['v=@bad.csv'])).toContain(
      "bad.csv, line 3: v[1].n: expected float, got str '1,5'",
    );
  });
});

describe('numbers as programs and people write them', () => {
  it.each(['1', '1.0', ' 1 ', '+1', '1.000'])('%j is an int where it is whole', async (cell) => {
    expect((await reading.of('list[{n: int, m: int | None}]', 'ints.csv', `n,m\n${cell},${cell}\n2,\n`)).value).toEqual(
      [
        { n: 1, m: 1 },
        { n: 2, m: null },
      ],
    );
  });

  it.each([
    ['float', '"1.234,50"'],
    ['float', '"12,5"'],
    ['int', '"1,234"'],
    ['float | None', '12 %'],
    ['float', '$5.00'],
  ])('a %s that is %s is told with what to do', async (type, cell) => {
    reading.write({ 'prices.csv': `name,price\nx,${cell}\n` });
    expect(await reading.refusal(`v: list[{name: str, price: ${type}}]`, ['v=@prices.csv'])).toContain(
      `got str '${cell.replaceAll('"', '')}'\na number is written as in 1234 or 1234.5: make price a str, which the code can convert`,
    );
  });
});

describe('many tables', () => {
  it('of a pattern or a folder are rows, where the type asks for rows', async () => {
    reading.write({
      'months/jan.csv': 'id;n\n1;2\n',
      'months/feb.tsv': 'id\tn\n3\t4\n',
      'months/mar.jsonl': '{"id": "5", "n": "6"}',
      'months/zzz.csv': 'id,n,note\n7,8,x\n',
    });
    const expected = [
      { id: '3', n: '4' },
      { id: '1', n: '2' },
      { id: '5', n: '6' },
      { id: '7', n: '8', note: 'x' },
    ];
    const { value, notes: told, input } = await reading.value('list[dict]', '@months');
    expect(value).toEqual(expected);
    expect(told).toContain('value: read 4 files of months: 4 rows in all');
    expect(await reading.names(input)).toEqual(['feb.tsv', 'jan.csv', 'mar.jsonl', 'zzz.csv']);
    expect((await reading.value('list[{id: int, n: int}]', '@months/*n.csv')).value).toEqual([{ id: 1, n: 2 }]);
  });

  it('are texts where it asks for texts, or for their paths', async () => {
    reading.write({ 'two/a.csv': 'x,y\n1,2\n', 'two/b.csv': 'x,y\n3,4\n' });
    expect((await reading.value('list[str]', '@two/*.csv')).value).toEqual(['x,y\n1,2\n', 'x,y\n3,4\n']);
    expect((await reading.value('list[{path: str, text: str}]', '@two')).value).toEqual([
      { path: 'a.csv', text: 'x,y\n1,2\n' },
      { path: 'b.csv', text: 'x,y\n3,4\n' },
    ]);
    reading.write({ 'two/readme.md': 'hello' });
    expect(await reading.refusal('v: list[{x: int, y: int}]', ['v=@two'])).toContain(
      'rows come from a folder or a pattern of tables alone (@*.csv)',
    );
  });
});

import { gzipSync } from 'node:zlib';
import iconv from 'iconv-lite';
import { afterAll, describe, expect, it } from 'vitest';
import { Reading } from './reading.ts';

const reading = new Reading();
afterAll(() => {
  reading.remove();
});

const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'utf-32le', 'utf-32be'] as const;
const TABLE = 'name,amount\nMüller,12\nSørensen,7\n';
const ROWS = [
  { name: 'Müller', amount: '12' },
  { name: 'Sørensen', amount: '7' },
];

const marked = (text: string, encoding: string): Buffer => iconv.encode(text, encoding, { addBOM: true });

describe.each(ENCODINGS)('a byte order mark of %s says the encoding', (encoding) => {
  it('of a text', async () => {
    expect((await reading.of('str', 'a.txt', marked('héllo\n', encoding))).value).toBe('héllo\n');
    // Halves of surrogate pairs stay together wherever the file is cut.
    const long = 'x😀'.repeat(300_000);
    expect((await reading.of('str', 'long.txt', marked(long, encoding))).value).toBe(long);
  });

  it('of CSV', async () => {
    const { value, notes } = await reading.of('list[dict]', 'a.csv', marked(TABLE, encoding));
    expect(value).toEqual(ROWS);
    const shown = encoding === 'utf-8' ? '' : `, ${encoding.toUpperCase()}`;
    expect(notes).toEqual([`value: read a.csv as CSV with commas${shown}: 2 rows, columns name, amount`]);
  });

  it('of JSON and JSON Lines', async () => {
    expect((await reading.of('list[dict]', 'a.json', marked(JSON.stringify(ROWS), encoding))).value).toEqual(ROWS);
    const lines = ROWS.map((row) => `${JSON.stringify(row)}\n`).join('');
    expect((await reading.of('list[dict]', 'a.jsonl', marked(lines, encoding))).value).toEqual(ROWS);
  });

  it('of files in a folder, and of standard input', async () => {
    const folder = `docs-${encoding}`;
    reading.write({ [`${folder}/a.txt`]: marked('héllo', encoding), [`${folder}/b.txt`]: 'plain ä' });
    expect((await reading.value('list[str]', `@${folder}`)).value).toEqual(['héllo', 'plain ä']);
    expect((await reading.value('str', '-', marked('héllo', encoding))).value).toBe('héllo');
    expect((await reading.value('list[dict]', '-', marked(TABLE, encoding))).value).toEqual(ROWS);
  });
});

describe('an encoding that no mark tells', () => {
  it.each(['latin-1', 'windows-1252', 'cp1251', 'shift_jis', 'utf-16le', 'koi8-r'])(
    'is named: %s',
    async (encoding) => {
      const word = { cp1251: 'Привет', 'koi8-r': 'Привет', shift_jis: '漢字' }[encoding] ?? 'café';
      const bytes = (text: string): Buffer => iconv.encode(text, encoding);
      const option = `;encoding=${encoding}`;
      expect((await reading.of('str', 'n.txt', bytes(word), option)).value).toBe(word);
      expect((await reading.of('list[dict]', 'n.csv', bytes(`a,b\n${word},1\n`), option)).value).toEqual([
        { a: word, b: '1' },
      ]);
      expect((await reading.of('list[str]', 'n.json', bytes(JSON.stringify([word])), option)).value).toEqual([word]);
      reading.write({ [`f-${encoding}/a.txt`]: bytes(word) });
      expect((await reading.value('dict[str, str]', `@f-${encoding}${option}`)).value).toEqual({ 'a.txt': word });
      expect((await reading.value('str', `-${option}`, bytes(word))).value).toBe(word);
    },
  );

  it('is guessed for the note, which says what to write', async () => {
    const russian = 'Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.';
    const japanese = '吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。';
    const french = 'Le café était fermé; à côté, la forêt brûlait.';
    const notes = async (text: string, encoding: string): Promise<string> =>
      (await reading.of('str', 'guess.txt', iconv.encode(text, encoding))).notes.join('\n');
    expect(await notes(russian, 'windows-1251')).toContain(
      "looks like windows-1251: guess.txt; write 'value=@guess.txt;encoding=windows-1251'",
    );
    expect(await notes(japanese, 'shift_jis')).toContain('encoding=Shift_JIS');
    expect(await notes(french, 'latin-1')).toContain('encoding=windows-1252');
    expect(await notes(french, 'utf-8')).toBe('');
  });

  it.each(['utf-16le', 'utf-16be'])('%s without a mark is an error where it is no text', async (encoding) => {
    const [name, hint] = [encoding.toUpperCase(), `;encoding=${encoding.toUpperCase()}'`];
    for (const [type, file, text] of [
      ['list[dict]', 'bare.csv', 'name,amount\nMüller,12\n'],
      ['list[dict]', 'bare.tsv', 'name\tamount\nanna\t12\n'],
      ['list[dict]', 'bare.json', '[{"a": "plain"}]'],
      ['list[dict]', 'bare.jsonl', '{"a": "plain"}\n{"a": "text"}\n'],
      ['int', 'bare.txt', '1234'],
    ] as const) {
      reading.write({ [file]: iconv.encode(text, encoding) });
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await reading.refusal(`v: ${type}`, [`v=@${file}`])).toBe(
        `Input.Invalid: v: ${file} looks like ${name} without a byte order mark; write 'v=@${file}${hint}`,
      );
    }
    reading.write({ [`bare-${encoding}/a.csv`]: iconv.encode('name,amount\nanna,12\n', encoding) });
    expect(await reading.refusal('v: list[dict]', [`v=@bare-${encoding}`])).toContain(
      `write 'v=@bare-${encoding}${hint}`,
    );
  });

  it('named for many files leaves those alone that are UTF-8', async () => {
    const western = (text: string): Buffer => iconv.encode(text, 'windows-1252');
    reading.write({
      'mixed/a.txt': 'Müller',
      'mixed/b.txt': western('Sørensen'),
      'mixed/c.txt': marked('é', 'utf-16le'),
      'mixed/d.txt': 'plain',
      'mixed/e.txt': 'ü'.repeat(100_000),
      'tables/a.csv': 'n\nMüller\n',
      'tables/b.csv': western('n\nSørensen\n'),
      'tables/c.jsonl': '{"n": "é"}\n',
    });
    const texts = await reading.value('list[str]', '@mixed;encoding=windows-1252');
    expect(texts.value).toEqual(['Müller', 'Sørensen', 'é', 'plain', 'ü'.repeat(100_000)]);
    expect(texts.notes).toEqual(['2 files of value are UTF-8, not windows-1252, and were read as such: a.txt, e.txt']);
    const tables = await reading.value('list[dict]', '@tables;encoding=windows-1252');
    expect(tables.value).toEqual([{ n: 'Müller' }, { n: 'Sørensen' }, { n: 'é' }]);
    expect(tables.notes).toContain(
      '2 files of value are UTF-8, not windows-1252, and were read as such: a.csv, c.jsonl',
    );
    // Of one file, its reader knows.
    expect((await reading.value('str', '@mixed/a.txt;encoding=windows-1252')).value).toBe('MÃ¼ller');
  });

  it('is named as the input was: of standard input, of a folder', async () => {
    const odd = (text: string): Buffer => iconv.encode(text, 'latin-1');
    expect((await reading.value('str', '-', odd('café'))).notes.join()).toContain(
      "write 'value=-;encoding=windows-1252'",
    );
    expect((await reading.value('list[dict]', '-', odd('a,b\ncafé,1\n'))).notes.join()).toContain(
      "write 'value=-;encoding=windows-1252'",
    );
    expect((await reading.value('str', '-', iconv.encode('plain', 'utf-16le'))).notes.join()).toContain(
      "write 'value=-;encoding=UTF-16LE'",
    );
    await expect(reading.value('list[str]', '-', odd('["café"]'))).rejects.toThrow('(-;encoding=windows-1252)');
    await expect(reading.value('list[dict]', '-', `a,b\n${'1,2\n'.repeat(20)}3,4,5\n`)).rejects.toThrow(
      '(-;delimiter=...)',
    );
    reading.write({ 'odd-tables/a.csv': odd('a,b\ncafé,1\n') });
    expect((await reading.value('list[dict]', '@odd-tables')).notes.join()).toContain(
      "write 'value=@odd-tables;encoding=windows-1252'",
    );
  });

  it('of JSON is an error, because a number or a name might be lost', async () => {
    reading.write({
      'odd.json': iconv.encode('["café"]', 'latin-1'),
      'odd.jsonl': iconv.encode('"café"\n', 'latin-1'),
    });
    expect(await reading.refusal('v: list[str]', ['v=@odd.json'])).toContain(
      'name its encoding (@odd.json;encoding=windows-1252)',
    );
    expect(await reading.refusal('v: list[str]', ['v=@odd.jsonl'])).toContain(
      'odd.jsonl holds bytes that are not UTF-8',
    );
  });

  it('must exist, and options must be known', async () => {
    reading.write({ 'x.csv': 'a;b\n1;2\n' });
    const refusal = (options: string): Promise<string> => reading.refusal('v: list[dict]', [`v=@x.csv${options}`]);
    expect(await refusal(';encoding=klingon')).toContain('there is no encoding klingon; name one such as windows-1252');
    expect(await refusal(';separator=x')).toContain(
      'there is no option separator of a file (x.csv;separator=x); the options are encoding, delimiter',
    );
    expect(await refusal(';delimiter=ab')).toContain('the delimiter of CSV is one character');
  });

  it.each([
    ['str', 'o.txt', ';sheet=2', 'text, which has no sheet: leave ;sheet= out'],
    ['list[dict]', 'o.csv', ';sheet=2', 'CSV, which has no sheet'],
    ['list[int]', 'o.json', ';delimiter=,', 'JSON, which has no delimiter'],
    ['list[int]', 'o.jsonl', ";quote='", 'JSON Lines, which has no quote'],
    ['str', 'o.csv', ';delimiter=tab', 'text, which has no delimiter'],
    ['str', 'o.pdf', ';encoding=latin1', 'PDF, which has no encoding'],
  ])('must be of use: of a %s from %s%s', async (type, file, options, expected) => {
    const content = { '.csv': 'a,b\n1,2\n', '.json': '[1]', '.jsonl': '1\n2\n', '.pdf': '%PDF-1.7' }[
      /\.\w+$/.exec(file)?.[0] ?? ''
    ];
    reading.write({ [file]: content ?? 'text' });
    expect(await reading.refusal(`v: ${type}`, [`v=@${file}${options}`])).toContain(
      `v: ${file} is read as ${expected}`,
    );
  });

  it('a file whose name looks like options is that file', async () => {
    expect((await reading.of('str', 'a;encoding=b', 'content')).value).toBe('content');
  });
});

describe('gzip', () => {
  it('is unpacked, whatever is in it', async () => {
    expect((await reading.of('str', 'a.txt.gz', gzipSync('text ä'))).value).toBe('text ä');
    expect((await reading.of('list[dict]', 'a.csv.gz', gzipSync(marked(TABLE, 'utf-16le')))).value).toEqual(ROWS);
    expect((await reading.of('list[int]', 'a.jsonl.gz', gzipSync('1\n2\n'))).value).toEqual([1, 2]);
    expect((await reading.of('dict', 'a.json.gz', gzipSync('{"a": [1]}'))).value).toEqual({ a: [1] });
    expect((await reading.of('str', 'no-ending', gzipSync('text'))).notes).toEqual([
      'value: read no-ending as text, unpacked from gzip',
    ]);
    reading.write({ 'packed/a.txt.gz': gzipSync('one'), 'packed/b.txt': 'two' });
    expect((await reading.value('dict[str, str]', '@packed')).value).toEqual({ 'a.txt.gz': 'one', 'b.txt': 'two' });
  });

  it('that is damaged, or a bomb, is told', async () => {
    // Members behind each other are one file.
    const bomb = Buffer.concat(Array<Buffer>(30).fill(gzipSync(Buffer.alloc(10 * 1024 * 1024, 'x'))));
    reading.write({
      'cut.gz': gzipSync('text that is long enough to be cut').subarray(0, 20),
      'bomb.gz': bomb,
      'bombs/bomb.gz': bomb,
    });
    expect(await reading.refusal('v', ['v=@cut.gz'])).toContain('cut.gz is damaged: it cannot be unpacked');
    expect(await reading.refusal('v', ['v=@bomb.gz'])).toContain(
      'bomb.gz becomes more than 200 times its size when it is unpacked, which looks like a zip bomb',
    );
    expect(await reading.refusal('v: list[str]', ['v=@bombs'])).toContain('looks like a zip bomb');
  });
});

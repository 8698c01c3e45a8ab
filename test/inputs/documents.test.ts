import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { DocumentReader } from '../../src/inputs/documents/document-reader.ts';
import type { DocumentKind } from '../../src/inputs/documents/kinds.ts';
import { assemble, docx, docxOf, largeZip, parquet, pdf, xlsx, xlsxWith, zip } from './make-documents.ts';
import { sized, sizedCases } from '../sizes.ts';
import { Reading } from './reading.ts';

const reading = new Reading();
afterAll(() => {
  reading.remove();
});

const PEOPLE = [
  ['id', 'name', 'born', 'member', 'note'],
  [1, 'Müller', new Date('1815-12-10'), true, null],
  [2.5, 'Sørensen', null, false, 'x,"y"'],
] as const;

describe('PDF', () => {
  const content = pdf(['Page one\nits second line', 'Page (two)', 'Page three']);

  it('is a text, or an item for each page', async () => {
    const { value, notes } = await reading.of('str', 'a.pdf', content);
    expect(value).toBe('Page one\nits second line\n\nPage (two)\n\nPage three');
    expect(notes).toEqual(['value: read a.pdf as the text of PDF: 48 characters']);
    const pages = await reading.value('list[str]', '@a.pdf');
    expect(pages.value).toEqual(['Page one\nits second line', 'Page (two)', 'Page three']);
    expect(pages.notes).toEqual(['value: read a.pdf as PDF: 3 pages']);
    expect((await reading.value('Any', '@a.pdf')).value).toBe(value);
  });

  it('is told by its beginning, whatever its name; packed and from standard input too', async () => {
    const text = 'Page one\nits second line\n\nPage (two)\n\nPage three';
    expect((await reading.of('str', 'download', content)).value).toBe(text);
    expect((await reading.of('str', 'a.pdf.gz', gzipSync(content))).value).toBe(text);
    expect((await reading.value('str', '-', content)).value).toBe(text);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('rlm-document-'))).toEqual([]);
  });

  it('of images alone, protected, damaged, or no PDF is an error that says what to do', async () => {
    reading.write({
      'scan.pdf': pdf(['']),
      'protected.pdf': assemble(
        [
          Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
          Buffer.from('<< /Type /Pages /Kids [] /Count 0 >>'),
          Buffer.from(
            `<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <${'11'.repeat(32)}> /U <${'22'.repeat(32)}> >>`,
          ),
        ],
        `/Encrypt 3 0 R /ID [<${'33'.repeat(16)}> <${'33'.repeat(16)}>] `,
      ),
      'damaged.pdf': content.slice(0, 120),
      'page.pdf': '<html>Not found</html>',
    });
    const refusal = (name: string): Promise<string> => reading.refusal('v', [`v=@${name}`]);
    expect(await refusal('scan.pdf')).toBe(
      'Input.Invalid: v: scan.pdf cannot be read: it holds no text, only images (a scan?); recognise its text first (OCR)',
    );
    expect(await refusal('protected.pdf')).toContain(
      'protected.pdf cannot be read: it is protected by a password; save a copy without one',
    );
    expect(await refusal('damaged.pdf')).toContain('damaged.pdf cannot be read: it is damaged, or no PDF (');
    expect(await refusal('page.pdf')).toContain('page.pdf cannot be read: it is no PDF file, whatever its name says');
  });

  it('is no row and no number', async () => {
    reading.write({ 'b.pdf': content });
    expect(await reading.refusal('v: list[dict]', ['v=@b.pdf'])).toContain(
      'b.pdf is a text of pages, and the signature wants list[dict]: make the field a str, or a list[str] with an item for each page',
    );
    expect(await reading.refusal('v: int', ['v=@b.pdf'])).toContain('make the field a str');
  });
});

describe('DOCX', () => {
  it('is a text, or an item for each paragraph', async () => {
    const content = docx(['Title', 'First <paragraph> & more', '', 'Last ä']);
    expect((await reading.of('str', 'a.docx', content)).value).toBe('Title\n\nFirst <paragraph> & more\n\nLast ä');
    const { value, notes } = await reading.value('list[str]', '@a.docx');
    expect(value).toEqual(['Title', 'First <paragraph> & more', 'Last ä']);
    expect(notes).toEqual(['value: read a.docx as DOCX: 3 paragraphs']);
  });

  it('that is none is told', async () => {
    reading.write({
      'bad.docx': zip({ 'a.txt': 'x' }),
      'text.docx': 'plain',
      'old.doc': Buffer.from('d0cf11e0a1b11ae100', 'hex'),
    });
    expect(await reading.refusal('v', ['v=@bad.docx'])).toContain('bad.docx cannot be read: it is damaged, or no DOCX');
    expect(await reading.refusal('v', ['v=@text.docx'])).toContain('it is no DOCX file, whatever its name says');
    expect(await reading.refusal('v', ['v=@old.doc'])).toContain(
      'old Microsoft Office, or protected by a password; save it as DOCX, XLSX or PDF',
    );
  });
});

describe('XLSX', () => {
  const content = xlsx({
    People: PEOPLE,
    'Other sheet': [
      ['a', 'a'],
      [1, 2],
    ],
    Empty: [],
  });

  it('is rows with numbers, booleans and dates', async () => {
    const { value, notes } = await reading.of('list[dict]', 'a.xlsx', content);
    expect(value).toEqual([
      { id: 1, name: 'Müller', born: '1815-12-10', member: true, note: null },
      { id: 2.5, name: 'Sørensen', born: null, member: false, note: 'x,"y"' },
    ]);
    expect(notes).toEqual([
      'value: read a.xlsx as XLSX, sheet People of People, Other sheet, Empty: 2 rows, columns id, name, born, member, note',
    ]);
    const typed = await reading.value(
      'list[{id: str, name: str, born: str | None, member: bool, note: str | None}]',
      '@a.xlsx',
    );
    expect((typed.value as unknown[])[1]).toMatchObject({ id: '2.5', born: null, member: false });
  });

  it('has times without a zone, and times of day, as Python writes them', async () => {
    const at = [new Date('2024-01-02T03:04:05Z'), new Date('2024-01-02T00:00:00Z'), new Date('1899-12-30T13:30:00Z')];
    const { value } = await reading.of(
      'list[dict]',
      'times.xlsx',
      xlsx({ Sheet: [['at'], ...at.map((each) => [each])] }),
    );
    expect(value).toEqual([{ at: '2024-01-02T03:04:05' }, { at: '2024-01-02' }, { at: '13:30:00' }]);
  });

  it('of any sheet, by name or number', async () => {
    for (const sheet of ['Other sheet', '2']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { value, notes } = await reading.of('list[dict]', 'b.xlsx', content, `;sheet=${sheet}`);
      expect(value).toEqual([{ a: 1, 'a.1': 2 }]);
      expect(notes[1]).toContain('they were renamed: a to a.1');
    }
    expect(await reading.refusal('v: list[dict]', ['v=@b.xlsx;sheet=None'])).toContain(
      'it has no sheet None; its sheets are People, Other sheet, Empty',
    );
    expect(await reading.refusal('v: list[dict]', ['v=@b.xlsx;sheet=Empty'])).toContain(
      'b.xlsx is empty: the first row must name the columns',
    );
  });

  it('is CSV for a str, and no list of texts', async () => {
    expect((await reading.of('str', 'all.xlsx', content)).value).toBe(
      '[People]\nid,name,born,member,note\n1,Müller,1815-12-10,true,\n2.5,Sørensen,,false,"x,""y"""\n\n[Other sheet]\na,a\n1,2\n\n[Empty]\n',
    );
    expect((await reading.of('str', 'c.xlsx', content, ';sheet=1')).value).toBe(
      'id,name,born,member,note\n1,Müller,1815-12-10,true,\n2.5,Sørensen,,false,"x,""y"""\n',
    );
    expect(await reading.refusal('v: list[str]', ['v=@c.xlsx'])).toContain(
      'c.xlsx is a table, and the signature wants list[str]: make the field a list[dict]',
    );
  });
});

describe('what Excel shows and its file does not hold', () => {
  const SHEET = 'xl/worksheets/sheet1.xml';
  const cells = (row: string): Uint8Array =>
    xlsxWith({ Sheet: [['a', 'b']], Other: [['x']] }, (files) => ({
      ...files,
      [SHEET]: (files[SHEET] ?? '').replace('</sheetData>', `<row r="2">${row}</row></sheetData>`),
    }));

  it.each([
    ['without a value', '<c r="A2"><f>1+1</f></c>'],
    ['with an empty one', '<c r="A2"><f>1+1</f><v></v></c>'],
    ['with an empty tag', '<c r="A2"><f>1+1</f><v/></c>'],
    ['shared', '<c r="A2"><f t="shared" si="0"/></c>'],
  ])('a formula %s is None, and is told', async (_how, cell) => {
    const { value, notes } = await reading.of('list[dict]', 'f.xlsx', cells(`${cell}<c r="B2"><v>1</v></c>`));
    expect(value).toEqual([{ a: null, b: 1 }]);
    expect(notes).toContain(
      'value: f.xlsx: 1 cell holds a formula that was never computed, and is None: open the file in Excel or LibreOffice and save it',
    );
    expect((await reading.value('str', '@f.xlsx')).notes.join()).toContain('never computed, and is empty');
    expect((await reading.value('list[dict]', '@f.xlsx;sheet=Other')).notes.join()).not.toContain('formula');
  });

  it('an error is None, and is told; a formula that was computed is its value', async () => {
    const row = '<c r="A2" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="B2"><f>1+1</f><v>2</v></c>';
    const { value, notes } = await reading.of('list[dict]', 'e.xlsx', cells(row));
    expect(value).toEqual([{ a: null, b: 2 }]);
    expect(notes.slice(1)).toEqual(['value: e.xlsx: 1 cell holds an error such as #N/A, and is None']);
    const text = '<c r="A2" t="str"><f>""</f><v></v></c><c r="B2"><v>1</v></c>';
    expect((await reading.of('list[dict]', 't.xlsx', cells(text))).notes).toHaveLength(1);
  });

  it('a sheet that is a chart is passed over', async () => {
    const content = xlsxWith({ Chart: [], Data: [['a'], [1]] }, (files) => ({
      ...files,
      'xl/_rels/workbook.xml.rels': (files['xl/_rels/workbook.xml.rels'] ?? '').replace(
        /worksheet" Target="worksheets\/sheet1.xml"/,
        'chartsheet" Target="chartsheets/sheet1.xml"',
      ),
    }));
    const { value, notes } = await reading.of('list[dict]', 'chart.xlsx', content);
    expect(value).toEqual([{ a: 1 }]);
    expect(notes).toEqual(['value: read chart.xlsx as XLSX: 1 row, column a']);
  });

  it('a sheet is found as Excel finds it, whatever its case and the blanks around it', async () => {
    const content = xlsx({ First: [['a']], ' Data ': [['b'], [1]], data: [['c'], [2]] });
    expect((await reading.of('list[dict]', 's.xlsx', content, ';sheet=data')).value).toEqual([{ c: 2 }]);
    expect((await reading.of('list[dict]', 's.xlsx', content, ';sheet=DATA')).value).toEqual([{ b: 1 }]);
  });
});

describe('a document under another name', () => {
  const book = Buffer.from(xlsx({ Sheet: [['a'], [1]] }));
  const text = Buffer.from(docx(['One', 'Two']));

  it.each(sized(['book.csv', 'download'], ['book.xls', 'book.csv', 'book.zip', 'download', 'book.docx']))(
    'XLSX as %s',
    async (name) => {
      expect((await reading.of('list[dict]', name, book)).value).toEqual([{ a: 1 }]);
    },
  );

  it('DOCX, and both from standard input and in a folder', async () => {
    expect((await reading.of('list[str]', 'text.doc', text)).value).toEqual(['One', 'Two']);
    expect((await reading.value('list[dict]', '-', book)).value).toEqual([{ a: 1 }]);
    expect((await reading.value('str', '-', text)).value).toBe('One\n\nTwo');
    reading.write({ 'other-names/a.doc': text, 'other-names/b': book });
    expect((await reading.value('list[str]', '@other-names')).value).toEqual(['One\n\nTwo', 'a\n1\n']);
  });

  const ole = (entry: string): Buffer =>
    Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(504), Buffer.from(entry, 'utf16le')]);
  const openDocument = (kind: string): Uint8Array =>
    zip({ mimetype: `application/vnd.oasis.opendocument.${kind}`, 'content.xml': '<x/>' });
  const unreadable: [name: string, content: string | Uint8Array, expected: string][] = [
    ['locked.xlsx', ole('EncryptedPackage'), 'it is protected by a password; save a copy without one'],
    ['locked.docx', ole('EncryptedPackage'), 'it is protected by a password; save a copy without one'],
    ['locked', ole('EncryptedPackage'), 'it is protected by a password; save a copy without one'],
    ['old.xlsx', ole('Workbook'), 'it is a file of old Microsoft Office, or protected by a password; save it as'],
    [
      'page.xlsx',
      '<table><tr><td>1</td></tr></table>',
      'it is no XLSX file, whatever its name says; it looks like a text',
    ],
    ['rows.parquet', 'a,b\n1,2\n', 'it is no PARQUET file, whatever its name says; it looks like a text'],
    ['table.xlsb', zip({ 'xl/workbook.bin': 'x' }), 'it is an XLSB file; save it as XLSX'],
    ['talk.pptx', zip({ 'ppt/presentation.xml': 'x' }), 'it is a PPTX file; save it as PDF'],
    ['table.ods', openDocument('spreadsheet'), 'it is an OpenDocument file; save it as XLSX'],
    ['text.odt', openDocument('text'), 'it is an OpenDocument file; save it as DOCX'],
    ['a.zip', zip({ 'a.csv': 'a,b' }), 'it is an archive, or compressed; unpack it'],
  ];
  it.each(sizedCases(['locked.xlsx', 'page.xlsx', 'talk.pptx', 'a.zip'], unreadable))(
    '%s that cannot be read is told for what it is',
    async (name, content, expected) => {
      reading.write({ [name]: content, [`with-${name}/${name}`]: content, [`with-${name}/a.txt`]: 'a' });
      expect(await reading.refusal('v: Any', [`v=@${name}`])).toContain(`v: ${name} cannot be read: ${expected}`);
      const { value, notes } = await reading.value('list[str]', `@with-${name}`);
      expect(value).toContain('a');
      if (name.includes('.') && Buffer.from(content).includes(0) && !name.endsWith('.zip'))
        expect(notes.join()).toContain(`${name} (${expected}`);
    },
  );
});

it('a document without any content is left out of a folder as an empty file is', async () => {
  reading.write({ 'blank/a.txt': 'a', 'blank/b.xlsx': Buffer.from(xlsx({ Sheet: [] })) });
  const { value, notes } = await reading.value('list[str]', '@blank');
  expect(value).toEqual(['a']);
  expect(notes).toContain('value: of blank these were left out: 1 empty');
});

describe('Parquet', () => {
  const content = parquet([
    { name: 'id', data: [1n, 2n ** 60n, 3n], type: 'INT64' },
    { name: 'name', data: ['Müller', 'b', null], type: 'STRING' },
    { name: 'x', data: [1.5, 2, Number.NaN], type: 'DOUBLE' },
    { name: 'at', data: [new Date('2026-01-31T10:00:00Z'), new Date('2026-02-01'), null], type: 'TIMESTAMP' },
  ]);

  it('is rows, with integers of any size and what is missing as None', async () => {
    const { input, notes } = await reading.of('list[dict]', 'a.parquet', content);
    expect(Buffer.from(await reading.blobs.get(input.ref)).toString()).toBe(
      '{"id":1,"name":"Müller","x":1.5,"at":"2026-01-31T10:00:00+00:00"}\n' +
        '{"id":1152921504606846976,"name":"b","x":2,"at":"2026-02-01T00:00:00+00:00"}\n' +
        '{"id":3,"name":null,"x":null,"at":null}\n',
    );
    expect(notes).toEqual(['value: read a.parquet as Parquet: 3 rows, columns id, name, x, at']);
    expect(input.summary).toMatchObject({ type: 'list', length: 3 });
  });

  it('keeps bytes that are no text, as a text that is not UTF-8 does', async () => {
    const data = ['plain', 'ä'].map((each) => Buffer.from(each)).concat(Buffer.from([0xff, 0x61]), Buffer.from([0xc3]));
    const bytes = parquet([{ name: 'b', data: data.map((each) => new Uint8Array(each)), type: 'BYTE_ARRAY' }]);
    expect((await reading.of('list[dict]', 'bytes.parquet', bytes)).value).toEqual(
      ['plain', 'ä', '\udcffa', '\udcc3'].map((b) => ({ b })),
    );
  });

  it('that is damaged is told', async () => {
    reading.write({ 'bad.parquet': Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(40), Buffer.from('PAR1')]) });
    expect(await reading.refusal('v: list[dict]', ['v=@bad.parquet'])).toContain(
      'bad.parquet cannot be read: it is damaged, or no Parquet',
    );
  });
});

describe('a folder of what people have', () => {
  const FILES = {
    'mixed/1 report.pdf': pdf(['Annual report', 'Figures']),
    'mixed/2 letter.pdf': pdf(['Dear all']),
    'mixed/10 minutes.pdf': pdf(['Minutes']),
    'mixed/contract.docx': docx(['Contract', 'Clause 1']),
    'mixed/people.xlsx': xlsx({ People: PEOPLE }),
    'mixed/logo.png': Buffer.from('89504e470d0a1a0a0000', 'hex'),
    'mixed/empty.txt': '',
    'mixed/.DS_Store': Buffer.from([0, 0]),
    'mixed/.git/HEAD': 'ref',
    'mixed/~$contract.docx': 'lock',
    'mixed/yarn.lock': '# yarn',
    'mixed/program.bin': Buffer.from([0x7f, 0x45, 0, 0]),
    'mixed/scan.pdf': pdf(['']),
  };
  const NAMES = ['1 report.pdf', '2 letter.pdf', '10 minutes.pdf', 'contract.docx', 'people.xlsx'];
  const TEXTS = [
    'Annual report\n\nFigures',
    'Dear all',
    'Minutes',
    'Contract\n\nClause 1',
    'id,name,born,member,note\n1,Müller,1815-12-10,true,\n2.5,Sørensen,,false,"x,""y"""\n',
  ];

  it('gives the texts of its documents with their names, and counts what is none by reason', async () => {
    reading.write(FILES);
    const { value, notes, input } = await reading.value('list[str]', '@mixed');
    expect(value).toEqual(TEXTS);
    expect(await reading.names(input)).toEqual(NAMES);
    expect(input.files).toMatchObject({ count: 5, first: NAMES });
    expect(notes).toEqual([
      'value: of mixed these were left out: 2 hidden, 1 image, 2 lock files, 1 empty, 1 that looks binary, 1 that cannot be read: ' +
        'scan.pdf (it holds no text, only images (a scan?); recognise its text first (OCR))',
    ]);
  });

  it('as a dict by name, too', async () => {
    const { value } = await reading.value('dict[str, str]', '@mixed');
    expect(Object.entries(value as object)).toEqual(NAMES.map((name, index) => [name, TEXTS[index]]));
    expect((await reading.value('list[str]', '@mixed/*.lock')).value).toEqual(['# yarn']);
  });

  it('of nothing but what is left out says why', async () => {
    reading.write({ 'nothing/scan.pdf': pdf(['']), 'nothing/a.png': 'x', 'nothing/b': '' });
    expect(await reading.refusal('v: list[str]', ['v=@nothing'])).toContain(
      'there are no texts in nothing; left out: 1 image, 1 empty, 1 that cannot be read: scan.pdf (it holds no text',
    );
  });
});

describe('what is hostile ends in a sentence', () => {
  const MEMORY = 220 * 1024 ** 2;
  const folder = join(reading.cwd, 'hostile');
  mkdirSync(folder);

  async function fault(kind: DocumentKind, content: Uint8Array, limits = {}): Promise<string> {
    const path = join(folder, 'file');
    writeFileSync(path, content);
    const reader = new DocumentReader({ memoryBytes: MEMORY, stepMs: 30_000, ...limits });
    try {
      let size = 0;
      for await (const message of reader.read({ path, kind })) size += JSON.stringify(message).length;
      return `${size} characters`;
    } catch (error) {
      return (error as Error).message;
    } finally {
      reader.close();
      rmSync(path);
    }
  }

  const BOMB = Buffer.alloc(MEMORY, 'x');
  const bomb = (name: string): Uint8Array =>
    largeZip({
      '[Content_Types].xml': Buffer.from('<Types/>'),
      '_rels/.rels': Buffer.from('<Relationships/>'),
      [name]: BOMB,
    });

  const docxBomb = bomb('word/document.xml');

  it('a zip bomb that says it is DOCX, and one that says it is XLSX', async () => {
    const memory = 'reading it needs more than 220 MB of memory, or it is damaged';
    expect(await fault('docx', docxBomb)).toContain(memory);
    expect(await fault('xlsx', bomb('xl/workbook.xml'))).toContain(memory);
  }, 120_000);

  it('a PDF whose page becomes hundreds of megabytes', async () => {
    const stream = deflateSync(BOMB, { level: 1 });
    const page = Buffer.from('<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>');
    const head = Buffer.from(`<< /Length ${stream.length} /Filter /FlateDecode >>\nstream\n`);
    const content = assemble([
      Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
      Buffer.from('<< /Type /Pages /Kids [3 0 R] /Count 1 >>'),
      page,
      Buffer.concat([head, stream, Buffer.from('\nendstream')]),
    ]);
    expect(await fault('pdf', content)).toContain('reading it needs more than 220 MB of memory');
  }, 120_000);

  it('a PDF with a script that never ends, which is not run', async () => {
    const script = '/OpenAction << /S /JavaScript /JS (while (true) {}) >>';
    expect(await fault('pdf', pdf(['harmless'], script))).toMatch(/^\d+ characters$/);
  });

  it('a PDF whose pages contain themselves, or that are said to be a billion', async () => {
    const loop = assemble([
      Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
      Buffer.from('<< /Type /Pages /Kids [2 0 R] /Count 1000000000 >>'),
    ]);
    expect(await fault('pdf', loop, { stepMs: 5000 })).toMatch(/^it (?:is damaged|took longer|holds)/);
  }, 60_000);

  it('a document that takes too long', async () => {
    expect(await fault('pdf', pdf(['a']), { stepMs: 1 })).toBe('it took longer than 0.001 seconds');
  });

  it('a DOCX nested deeper than anything', async () => {
    const deep = '<w:p>'.repeat(200_000) + '</w:p>'.repeat(200_000);
    expect(await fault('docx', docxOf(deep))).toMatch(/damaged|memory|characters|longer/);
    const entity = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "${'&a;'.repeat(1000)}"><!ENTITY c "${'&b;'.repeat(1000)}"><!ENTITY d "${'&c;'.repeat(1000)}">]><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&d;</w:t></w:r></w:p></w:body></w:document>`;
    expect(
      await fault(
        'docx',
        zip({ '[Content_Types].xml': '<Types/>', 'word/document.xml': entity, '_rels/.rels': '<Relationships/>' }),
      ),
    ).toMatch(/damaged|memory|characters/);
  }, 120_000);

  it('a table of a million columns, and JSON nested a million deep', async () => {
    reading.write({
      'wide.csv': `${Array.from({ length: 1_000_000 }, (_, index) => index).join(',')}\n1\n`,
      'deep.json': '['.repeat(1_000_000),
      'deep.jsonl': `${'['.repeat(1_000_000)}\n`,
      'keys.json': `{${'"a":{'.repeat(300_000)}`,
    });
    expect(await reading.refusal('v: list[dict]', ['v=@wide.csv'])).toContain(
      'wide.csv has 1000000 columns, and at most 20000 can be read',
    );
    expect(await reading.refusal('v: list', ['v=@deep.json'])).toContain('it is nested deeper than 100');
    expect(await reading.refusal('v: list', ['v=@deep.jsonl'])).toContain('deep.jsonl');
    expect(await reading.refusal('v: dict', ['v=@keys.json'])).toContain('it is nested deeper than 100');
  });

  it('and reading continues with the next document', async () => {
    const path = (name: string, content: Uint8Array): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const reader = new DocumentReader({ memoryBytes: MEMORY });
    const texts: string[] = [];
    const read = async (name: string, kind: DocumentKind, content: Uint8Array): Promise<void> => {
      try {
        for await (const message of reader.read({ path: path(name, content), kind }))
          if (message.kind === 'text') texts.push(message.text);
      } catch (error) {
        texts.push((error as Error).message.slice(0, 18));
      }
    };
    await read('a.pdf', 'pdf', pdf(['first']));
    await read('b.docx', 'docx', docxBomb);
    await read('c.pdf', 'pdf', pdf(['third']));
    reader.close();
    expect(texts).toEqual(['first', 'reading it needs m', 'third']);
  }, 120_000);
});

it('the process that reads has no environment, and may not write or start anything', async () => {
  process.env['RLM_TEST_SECRET'] = 'secret';
  const { spawnSync } = await import('node:child_process');
  const { restrictions } = await import('../../src/inputs/documents/document-reader.ts');
  const target = join(reading.cwd, 'written');
  const attempt = `
    const out = [process.env.RLM_TEST_SECRET ?? 'none'];
    for (const act of [() => require('fs').writeFileSync(${JSON.stringify(target)}, 'x'), () => require('child_process').execSync('true')])
      try { act(); out.push('done'); } catch (error) { out.push(error.code); }
    console.log(out.join(' '));`;
  const { stdout } = spawnSync(process.execPath, [...restrictions(), '-e', attempt], { env: {}, encoding: 'utf8' });
  expect(stdout.trim()).toBe('none ERR_ACCESS_DENIED ERR_ACCESS_DENIED');
  delete process.env['RLM_TEST_SECRET'];
});

const DOCUMENT_EXTENSIONS: readonly string[] = ['.pdf', '.docx', '.xlsx', '.parquet'];

/** Files that a library reads, in a process of its own. */
export type DocumentKind = 'pdf' | 'docx' | 'xlsx' | 'parquet';

const ZIP = Buffer.from('PK\u0003\u0004');
/** Of a zip archive: where its first entries say how long their names are, and where these begin. */
const NAME_LENGTH_AT = 26;
const NAME_AT = 30;

/** What a file is, by how it begins; of the kinds that are zip archives by the names in it, else by its own name's ending. */
export function documentKind(start: Buffer, extension: string): DocumentKind | undefined {
  if (start.subarray(0, 1024).includes('%PDF-')) return 'pdf';
  if (start.subarray(0, 4).equals(Buffer.from('PAR1'))) return 'parquet';
  if (!isZip(start)) return undefined;
  const names = namesInZip(start);
  if (names.includes('xl/workbook.xml')) return 'xlsx';
  if (names.includes('word/document.xml')) return 'docx';
  if (otherOffice(start) !== undefined) return undefined;
  if (extension === '.docx' || extension === '.docm') return 'docx';
  return extension === '.xlsx' || extension === '.xlsm' ? 'xlsx' : undefined;
}

function isZip(start: Buffer): boolean {
  return start.subarray(0, ZIP.length).equals(ZIP);
}

/** The names of the entries that begin within what was read. */
function namesInZip(start: Buffer): readonly string[] {
  const names: string[] = [];
  for (let at = 0; at !== -1 && at + NAME_AT < start.length; at = start.indexOf(ZIP, at + ZIP.length)) {
    const length = start.readUInt16LE(at + NAME_LENGTH_AT);
    names.push(start.toString('latin1', at + NAME_AT, at + NAME_AT + length));
  }
  return names;
}

/** Office documents that are zip archives and are not read: what to do about them. */
function otherOffice(start: Buffer): string | undefined {
  if (!isZip(start)) return undefined;
  const names = namesInZip(start);
  if (names.includes('xl/workbook.bin')) return 'it is an XLSB file; save it as XLSX';
  if (names.some((name) => name.startsWith('ppt/'))) return 'it is a PPTX file; save it as PDF';
  const openDocument = /mimetypeapplication\/vnd\.oasis\.opendocument\.(spreadsheet|text|presentation)/.exec(
    start.toString('latin1', NAME_AT, NAME_AT + 100),
  )?.[1];
  if (openDocument === undefined) return undefined;
  const better = { spreadsheet: 'XLSX', text: 'DOCX' }[openDocument] ?? 'PDF';
  return `it is an OpenDocument file; save it as ${better}`;
}

/** As a person writes it. */
export function kindName(kind: DocumentKind): string {
  return kind === 'parquet' ? 'Parquet' : kind.toUpperCase();
}

/** Whether a kind is rows of a table; the others are texts. */
export function isTable(kind: DocumentKind): boolean {
  return kind === 'xlsx' || kind === 'parquet';
}

/** What must begin otherwise than it does, and what is not read at all: why, and what to do. */
export function unreadable(start: Buffer, extension: string): string | undefined {
  if (start.length === 0) return undefined;
  if (start.subarray(0, 8).equals(Buffer.from('d0cf11e0a1b11ae1', 'hex'))) {
    if (start.includes(Buffer.from('EncryptedPackage', 'utf16le')))
      return 'it is protected by a password; save a copy without one';
    return 'it is a file of old Microsoft Office, or protected by a password; save it as DOCX, XLSX or PDF';
  }
  if (DOCUMENT_EXTENSIONS.includes(extension)) {
    const fault = `it is no ${extension.slice(1).toUpperCase()} file, whatever its name says`;
    const isText = !start.subarray(0, 1000).includes(0);
    return isText ? `${fault}; it looks like a text: give it the ending of what it is (.csv, .html, .txt)` : fault;
  }
  const office = otherOffice(start);
  if (office !== undefined) return office;
  if (isImage(start)) return 'it is an image, and no text is recognized in images; name a file with its text';
  return isArchive(start, extension) ? 'it is an archive, or compressed; unpack it and name what is in it' : undefined;
}

/** PNG, JPEG, GIF, WebP and TIFF, by how they begin. */
function isImage(start: Buffer): boolean {
  return /^(?:\u0089PNG\r\n|\u00ff\u00d8\u00ff|GIF8[79]a|RIFF[^]{4}WEBP|II\*\0|MM\0\*)/.test(
    start.subarray(0, 16).toString('latin1'),
  );
}

/** Whether it is an archive or compressed, and no document. */
export function isArchive(start: Buffer, extension: string): boolean {
  if (DOCUMENT_EXTENSIONS.includes(extension)) return false;
  if (/\.(?:zip|tar|tgz|bz2|tbz2|xz|txz|zst|7z|rar)$/.test(extension)) return true;
  return isZip(start) && otherOffice(start) === undefined;
}

/** What the process is asked for. */
export interface DocumentRequest {
  readonly path: string;
  readonly kind: DocumentKind;
  /** Of XLSX: its name, or its number from 1. Default: all of them, or the first. */
  readonly sheet?: string;
  /** Whether all sheets are wanted, where none is named. */
  readonly allSheets?: boolean;
}

/** What it answers, one message after the other; `end` or `error` is the last. */
export type DocumentMessage =
  /** A page of PDF, a paragraph of DOCX. */
  | { readonly kind: 'text'; readonly text: string }
  /** Its rows follow: one of several sheets. */
  | { readonly kind: 'sheet'; readonly name: string }
  /** Rows of XLSX or Parquet, those with the names of the columns first. */
  | { readonly kind: 'rows'; readonly rows: readonly (readonly unknown[])[] }
  /**
   * @property about - what else there is, such as the names of other sheets
   * @property notes - what was lost, a line each
   */
  | { readonly kind: 'end'; readonly about?: string; readonly notes?: readonly string[] }
  | { readonly kind: 'error'; readonly message: string };

/** An integer beyond 2^53 on its way between the processes. */
export const BIG_INTEGER = '$integer';

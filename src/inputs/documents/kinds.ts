const DOCUMENT_EXTENSIONS: readonly string[] = ['.pdf', '.docx', '.xlsx', '.parquet'];

/** Files that a library reads, in a process of its own. */
export type DocumentKind = 'pdf' | 'docx' | 'xlsx' | 'parquet';

/** What a file is, by how it begins and, of the kinds that are zip archives, by its name's ending. */
export function documentKind(start: Buffer, extension: string): DocumentKind | undefined {
  if (start.subarray(0, 1024).includes('%PDF-')) return 'pdf';
  if (start.subarray(0, 4).equals(Buffer.from('PAR1'))) return 'parquet';
  if (!start.subarray(0, 4).equals(Buffer.from('PK\u0003\u0004'))) return undefined;
  if (extension === '.docx' || extension === '.docm') return 'docx';
  return extension === '.xlsx' || extension === '.xlsm' ? 'xlsx' : undefined;
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
  if (DOCUMENT_EXTENSIONS.includes(extension))
    return `it is no ${extension.slice(1).toUpperCase()} file, whatever its name says`;
  if (start.subarray(0, 8).equals(Buffer.from('d0cf11e0a1b11ae1', 'hex')))
    return 'it is a file of old Microsoft Office, or protected by a password; save it as DOCX, XLSX or PDF';
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
  return start.subarray(0, 4).equals(Buffer.from('PK\u0003\u0004'));
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
  /** @property about - what else there is, such as the names of other sheets */
  | { readonly kind: 'end'; readonly about?: string }
  | { readonly kind: 'error'; readonly message: string };

/** An integer beyond 2^53 on its way between the processes. */
export const BIG_INTEGER = '$integer';

import { isAlias, isMap, isNode, isScalar, LineCounter, parseDocument, type Document, type Pair } from 'yaml';
import { errorMessage } from '../domain/error-message.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';

/** A YAML text that can tell where its values stand. */
export interface YamlSource {
  readonly value: unknown;
  /** Line and column, from 1, of a key or its value; of what is around it when it is not there. */
  locate(path: readonly string[], about: 'key' | 'value'): { readonly line: number; readonly column: number };
}

/** @throws ConfigError when it is not YAML */
export function readYaml(text: string, source: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const problems = [...document.errors, ...document.warnings].map(({ code, message, pos }): ConfigProblem => ({
    source,
    ...place(pos[0]),
    message: code === 'MULTIPLE_DOCS' ? 'the file holds several documents; keep one.' : `${message}.`,
  }));
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    value: toValue(document, source),
    locate: (path, about) => place(offsetOf(document, path, about)),
  };
}

/** Aliases can be nested to explode; the parser then refuses. */
function toValue(document: Document, source: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new ConfigError([{ source, message: `${errorMessage(error)}.` }]);
  }
}

function offsetOf(document: Document, path: readonly string[], about: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, segment] of path.entries()) {
    const pair = pairOf(isAlias(node) ? node.resolve(document) : node, segment);
    if (pair === undefined) return offset;
    const isLast = index === path.length - 1;
    const [first, second] = isLast && about === 'value' ? [pair.value, pair.key] : [pair.key, pair.value];
    offset = startOf(first) ?? startOf(second) ?? offset;
    node = pair.value;
  }
  return offset;
}

function pairOf(node: unknown, segment: string): Pair | undefined {
  if (!isMap(node)) return undefined;
  return node.items.find(({ key }) => isScalar(key) && String(key.value) === segment);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

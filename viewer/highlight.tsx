import type { ComponentChild } from 'preact';
import { createLowlight } from 'lowlight';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import css from 'highlight.js/lib/languages/css';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import markdown from 'highlight.js/lib/languages/markdown';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';

const lowlight = createLowlight({
  bash,
  c,
  cpp,
  css,
  go,
  ini,
  java,
  javascript,
  json,
  markdown,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
});

const EXTENSIONS: Readonly<Record<string, string>> = {
  py: 'python',
  pyi: 'python',
  pyx: 'python',
  js: 'javascript',
  mjs: 'javascript',
  jsx: 'javascript',
  ts: 'typescript',
  tsx: 'typescript',
  json: 'json',
  yml: 'yaml',
  yaml: 'yaml',
  md: 'markdown',
  sh: 'bash',
  c: 'c',
  h: 'c',
  cc: 'cpp',
  cpp: 'cpp',
  hpp: 'cpp',
  css: 'css',
  go: 'go',
  java: 'java',
  rs: 'rust',
  sql: 'sql',
  html: 'xml',
  xml: 'xml',
  svg: 'xml',
  toml: 'ini',
  cfg: 'ini',
  ini: 'ini',
};

export function languageOf(file: string): string | undefined {
  return EXTENSIONS[file.slice(file.lastIndexOf('.') + 1).toLowerCase()];
}

/** Characters that are coloured: more would hold up the page. */
const MAX_CHARACTERS = 30_000;

/** Text as elements with classes: never as markup, whatever it says. */
export function highlight(text: string, language: string | undefined): ComponentChild {
  if (language === undefined || text.length > MAX_CHARACTERS) return text;
  try {
    return lowlight.highlight(language, text).children.map(toElement);
  } catch {
    return text;
  }
}

type Node = ReturnType<typeof lowlight.highlight>['children'][number];

function toElement(node: Node, key: number): ComponentChild {
  if (node.type === 'text') return node.value;
  if (node.type !== 'element') return null;
  const { className } = node.properties;
  return (
    <span key={key} class={Array.isArray(className) ? className.join(' ') : ''}>
      {node.children.map((child, index) => (child.type === 'comment' ? null : toElement(child as Node, index)))}
    </span>
  );
}

import { expectation, settings, type SettingNode } from './settings.ts';

/** Every setting as Markdown tables, one a section: the part of docs/configuration.md that is written by code. */
export function renderReference(): string {
  const sections = Object.entries(settings().properties ?? {});
  return sections.map(([name, section]) => renderSection(name, section)).join('\n');
}

function renderSection(name: string, section: SettingNode): string {
  const rows = settingsOf(name, section).map(([path, node]) =>
    row([`\`${path}\``, expectation(node), defaultOf(node), node.description ?? '']),
  );
  return [
    `### ${name}`,
    '',
    section.description ?? '',
    '',
    row(['Setting', 'Takes', 'Default', 'Meaning']),
    row(['---', '---', '---', '---']),
    ...rows,
    '',
  ].join('\n');
}

/** A section's settings by their full names, those of sections inside it included. */
function settingsOf(name: string, section: SettingNode): [string, SettingNode][] {
  return Object.entries(section.properties ?? {}).flatMap(([key, node]): [string, SettingNode][] =>
    node.properties === undefined ? [[`${name}.${key}`, node]] : settingsOf(`${name}.${key}`, node),
  );
}

function defaultOf(node: SettingNode): string {
  if (node.default === undefined) return '';
  return `\`${typeof node.default === 'string' ? node.default : JSON.stringify(node.default)}\``;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { processIo } from '../../src/cli/io.ts';
import { createProgram } from '../../src/cli/program.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/cli.md', import.meta.url));
const PART = /(<!-- commands: .*? -->\n)[^]*(<!-- end of commands -->)/;

const COMMON = ['--config', '--address', '--namespace', '--profile'];

function table(rows: readonly (readonly [term: string, description: string])[]): string {
  const cells = rows.map(([term, description]) => {
    const text = description.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;');
    return `| \`${term.replaceAll('|', String.raw`\|`)}\` | ${text} |`;
  });
  return rows.length === 0 ? '' : ['', '', '| | |', '| --- | --- |', ...cells].join('\n');
}

/** What a command takes, as its help has it. */
function renderCommand(command: Command): string {
  const help = command.createHelp();
  const placeholders = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const options = help
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help' && !COMMON.includes(long ?? ''))
    .map((option) => [help.optionTerm(option), help.optionDescription(option)] as const);
  const rows = [
    ...help
      .visibleArguments(command)
      .map((argument) => [help.argumentTerm(argument), help.argumentDescription(argument)] as const),
    ...options,
  ];
  const description = command.description();
  return [
    `### \`rlm ${[...namesOf(command), ...placeholders].join(' ')}\``,
    `${description.charAt(0).toUpperCase()}${description.slice(1)}.${table(rows)}`,
  ].join('\n\n');
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands];
}

function namesOf(command: Command): string[] {
  const above = command.parent?.parent === null || command.parent === null ? [] : [command.parent.name()];
  return [...above, command.name()];
}

function renderCommon(command: Command | undefined): string {
  const help = command?.createHelp();
  const options = command?.options.filter(({ long }) => COMMON.includes(long ?? '')) ?? [];
  const rows = options.map(
    (option) => [help?.optionTerm(option) ?? '', help?.optionDescription(option) ?? ''] as const,
  );
  return `Every command takes these:${table(rows)}`;
}

it('docs/cli.md lists every command and option as the help has them', async () => {
  const program = createProgram({ io: processIo(), perform: () => Promise.resolve() });
  const text = [
    renderCommon(program.commands[0]),
    ...program.commands.flatMap(withSubcommands).map(renderCommand),
  ].join('\n\n');
  const document = await readFile(DOCUMENT, 'utf8');
  expect(document).toMatch(PART);
  const written = document.replace(PART, (_, begin: string, end: string) => `${begin}\n${text}\n\n${end}`);
  await expect(written).toMatchFileSnapshot(DOCUMENT);
});

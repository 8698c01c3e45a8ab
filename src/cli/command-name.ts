/** As it has to be typed here: in a clone the command is not on the path, but npx finds it. */
export function commandName(env: NodeJS.ProcessEnv): string {
  return env['npm_execpath'] === undefined && env['npm_command'] === undefined ? 'rlm' : 'npx rlm';
}

/** A command of this program within a sentence: after a space, a bracket or at the beginning. */
const COMMAND = /(?<=^|[\s(`])(?<!npx )rlm (?=[a-z]+\b)/g;

/** A sentence with its commands as they have to be typed here. */
export function asTyped(text: string, env: NodeJS.ProcessEnv): string {
  const name = commandName(env);
  return name === 'rlm' ? text : text.replaceAll(COMMAND, `${name} `);
}

/** As a shell would read it. */
export function shellWord(text: string): string {
  return /^[\w./:@=~-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

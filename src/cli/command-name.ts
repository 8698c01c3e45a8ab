/** As it has to be typed here: in a clone the command is not on the path, but npx finds it. */
export function commandName(env: NodeJS.ProcessEnv): string {
  return env['npm_execpath'] === undefined && env['npm_command'] === undefined ? 'rlm' : 'npx rlm';
}

/** As a shell would read it. */
export function shellWord(text: string): string {
  return /^[\w./:@=~-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

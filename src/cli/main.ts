#!/usr/bin/env node
/** The command `rlm`. Everything else is loaded when it is known to be needed. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `rlm needs Node 22.18 or newer; this is ${process.versions.node}. Install one (https://nodejs.org), ` +
      'or, in a clone of the project, run it as npx rlm, which brings its own.\n',
  );
  process.exit(2);
}

const { runProgram } = await import('./program.ts');
process.exit(await runProgram(process.argv.slice(2)));

import { createLocalProvider } from '../sandbox/local/index.ts';
import { runDoctorChecks, type Check } from './doctor-checks.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { writeJson, type Io } from './io.ts';
import { wantsColor } from './live/display.ts';
import { oneLine, padEnd, visibleControls } from './live/text.ts';
import { painter } from './live/tree.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { withSession } from './session.ts';

export interface ExamineOptions extends TemporalOptions, JsonOption {}

/** `rlm doctor`. */
export function examine(io: Io, options: ExamineOptions): Promise<number> {
  return withSession(io, options, async (session) => {
    const { address, namespace, profile } = options;
    const { config, env, stateDirectory, cacheDirectory } = session;
    const provider = createLocalProvider({ stateDirectory, cacheDirectory, log: () => undefined });
    try {
      const checks = await runDoctorChecks({
        config,
        env,
        stateDirectory,
        cacheDirectory,
        blobs: session.blobs,
        temporal: { address, namespace, profile, env, config: config.temporal },
        checkIsolation: () => provider.checkIsolation({ install: false }),
      });
      const width = Math.max(...checks.map(({ name }) => name.length));
      if (options.json === true) await writeJson(io, checks);
      else io.stdout.write(`${checks.flatMap((check) => checkLines(io, check, width)).join('\n')}\n`);
      return checks.some(({ ok }) => ok === false) ? EXIT_FAILED : EXIT_DONE;
    } finally {
      await provider.close();
    }
  });
}

function checkLines(io: Io, { name, ok, found, remedy }: Check, width: number): string[] {
  const paint = painter(wantsColor(io.stdout, io.env));
  const symbol = ok === true ? paint('green', '✓') : ok === 'warning' ? paint('yellow', '!') : paint('red', '✗');
  const ways = (remedy ?? '').split('\n').filter((line) => line.trim() !== '');
  return [
    `${symbol} ${padEnd(name, width)} ${oneLine(found)}`,
    ...ways.map((way, index) => `${' '.repeat(width + 3)}${index === 0 ? '→' : 'or'} ${visibleControls(way)}`),
  ];
}

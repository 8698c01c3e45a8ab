import { ROOT_AGENT } from '../domain/ids.ts';
import { exportTree } from '../results/export-agent.ts';
import { renderTranscript } from '../results/transcript.ts';
import { runSettings } from '../client/change-settings.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { writeJson, writeResult, type Io } from './io.ts';
import { visibleControls } from './live/text.ts';
import { look } from './look.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { CommandError } from './report-error.ts';

export type ShowOptions = TemporalOptions & JsonOption;

/** `rlm show`: what an agent thought, wrote, asked and saw. */
export function showAgent(io: Io, run: string, agent: string = ROOT_AGENT, options: ShowOptions): Promise<number> {
  return look(io, run, options, async ({ blobs }, { snapshot, reader }) => {
    if (snapshot === undefined || snapshot.agents.length === 0)
      throw new CommandError(`No agent of run ${run} has begun: rlm status ${run} says how it stands.`, EXIT_FAILED);
    const trajectories = await reader.trajectories(snapshot);
    const found = trajectories.find(({ reference }) => reference.agent === agent);
    if (found === undefined) {
      const known = snapshot.agents.map((each) => each.agent);
      const some = known.length > 20 ? `${known.slice(0, 20).join(', ')}, ...` : known.join(', ');
      throw new CommandError(`Run ${run} has no agent ${agent}. It has ${some}.`);
    }
    if (options.json === true) {
      const { config } = await runSettings(blobs, snapshot.run);
      await writeJson(io, exportTree(trajectories, agent, config.rlm.result_truncation_limit));
    } else {
      const text = await renderTranscript(blobs, found);
      // On a terminal, what agents print must not move the cursor or change colours.
      await writeResult(io, io.stdout.isTTY ? `${text.trimEnd().split('\n').map(visibleControls).join('\n')}\n` : text);
    }
    return EXIT_DONE;
  });
}

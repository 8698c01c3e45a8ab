import { ROOT_AGENT } from '../domain/ids.ts';
import type { RunReport } from '../client/report-run.ts';
import { exportTree } from '../results/export-agent.ts';
import { agentPatch } from '../results/results-files.ts';
import type { AgentTrajectory } from '../results/run-reader.ts';
import type { RunSnapshot } from '../results/run-snapshot.ts';
import { renderTranscript } from '../results/transcript.ts';
import { runSettings } from '../client/change-settings.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { say, writeJson, writeResult, type Io } from './io.ts';
import { visibleControls } from './live/text.ts';
import { look, type LookOptions } from './look.ts';
import type { JsonOption, TemporalOptions } from './options.ts';
import { checkWritable, writeOutput } from './output-file.ts';
import { CommandError } from './report-error.ts';

export type ShowOptions = TemporalOptions & JsonOption;

/** `rlm show`: what an agent thought, wrote, asked and saw. */
export function showAgent(io: Io, run: string, agent: string = ROOT_AGENT, options: ShowOptions): Promise<number> {
  return look(io, run, options, async ({ blobs }, report) => {
    const { found, trajectories, snapshot } = await findAgent(report, run, agent);
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

/** `rlm patch <run> <agent>`: what an agent has changed in its own clone, whether its caller took it or not. */
export async function showAgentPatch(io: Io, run: string, agent: string, options: LookOptions): Promise<number> {
  if (options.output !== undefined) await checkWritable(io.cwd, options.output);
  return look(io, run, options, async ({ blobs }, report) => {
    const { found } = await findAgent(report, run, agent);
    if (found.reference.state !== 'done') {
      throw new CommandError(`Agent ${agent} of run ${run} has not ended: its patch is taken at its end.`, EXIT_FAILED);
    }
    const ref = agentPatch(found.records);
    const patch = ref === undefined ? undefined : await blobs.get(ref);
    if (patch === undefined) say(io, `Agent ${agent} of run ${run} changed nothing.`);
    if (options.output !== undefined) await writeOutput(io.cwd, options.output, patch ?? new Uint8Array());
    else if (patch !== undefined) await writeResult(io, patch);
    return EXIT_DONE;
  });
}

/** @throws CommandError naming the agents that there are */
async function findAgent(
  { snapshot, reader }: RunReport,
  run: string,
  agent: string,
): Promise<{ found: AgentTrajectory; trajectories: AgentTrajectory[]; snapshot: RunSnapshot }> {
  if (snapshot === undefined || snapshot.agents.length === 0)
    throw new CommandError(`No agent of run ${run} has begun: rlm status ${run} says how it stands.`, EXIT_FAILED);
  const trajectories = await reader.trajectories(snapshot);
  const found = trajectories.find(({ reference }) => reference.agent === agent);
  if (found !== undefined) return { found, trajectories, snapshot };
  const known = snapshot.agents.map((each) => each.agent);
  const some = known.length > 20 ? `${known.slice(0, 20).join(', ')}, ...` : known.join(', ');
  throw new CommandError(`Run ${run} has no agent ${agent}. It has ${some}.`);
}

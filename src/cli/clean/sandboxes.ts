import { errorMessage } from '../../domain/error-message.ts';
import { KEY_VARIABLE, KeyMissing } from '../../domain/key-missing.ts';
import { createDaytonaProvider } from '../../sandbox/daytona/index.ts';
import { createLocalProvider } from '../../sandbox/local/index.ts';
import { lookAtSandboxes, type FoundSandbox } from '../../sandbox/local/look-at-sandboxes.ts';
import type { SandboxLabels, SandboxListing, SandboxProvider } from '../../sandbox/provider.ts';
import { agentIsOpen } from '../../reaper.ts';
import type { TemporalConnection } from '../../temporal/connection.ts';
import { plural } from '../live/format.ts';
import type { Session } from '../session.ts';
import type { LeftSandbox } from './report.ts';

export interface FoundLeftovers {
  readonly left: readonly LeftSandbox[];
  readonly notes: readonly string[];
}

/** Sandboxes of this server and namespace whose agent no longer runs. Without a server none can be told. */
export async function findLeftSandboxes(
  session: Session,
  temporal: TemporalConnection | undefined,
  failed: (why: string) => void,
): Promise<FoundLeftovers> {
  const found = [await local(session, temporal), await daytona(session, temporal, failed)];
  return { left: found.flatMap(({ left }) => left), notes: found.flatMap(({ notes }) => notes) };
}

/** Ends them, at their provider. */
export async function removeSandboxes(
  session: Session,
  temporal: TemporalConnection | undefined,
  left: readonly LeftSandbox[],
  failed: (why: string) => void,
): Promise<LeftSandbox[]> {
  const providers = new Map<string, SandboxProvider>();
  try {
    return await Promise.all(
      left.map(async (each) => {
        try {
          const provider = providers.get(each.provider) ?? openProvider(each.provider, session, temporal);
          providers.set(each.provider, provider);
          await provider.destroy({ id: each.sandbox });
          return { ...each, deleted: true };
        } catch (error) {
          failed(`sandbox ${each.sandbox}: ${errorMessage(error)}`);
          return each;
        }
      }),
    );
  } finally {
    for (const provider of providers.values()) await provider.close();
  }
}

async function local({ stateDirectory }: Session, temporal: TemporalConnection | undefined): Promise<FoundLeftovers> {
  const found = await lookAtSandboxes(stateDirectory);
  const unrecorded = found.filter(({ labels }) => labels === undefined).map((each) => leftSandbox(each, undefined));
  const labelled = found.filter((each): each is Labelled => each.labels !== undefined);
  if (temporal === undefined)
    return {
      left: unrecorded,
      notes:
        labelled.length === 0
          ? []
          : [
              `${plural(labelled.length, 'sandbox', 'sandboxes')} of this host could not be judged: no Temporal server runs.`,
            ],
    };
  const { clusterId, namespace, client } = temporal;
  const ours = labelled.filter(({ labels }) => labels.cluster === clusterId && labels.namespace === namespace);
  const open = await Promise.all(ours.map(({ labels }) => agentIsOpen(client)(labels).catch(undefinedWithoutKey)));
  const unreadable = open.filter((each) => each === undefined).length;
  const others = labelled.length - ours.length;
  return {
    left: [...unrecorded, ...ours.filter((_, at) => open[at] === false).map((each) => leftSandbox(each, each.labels))],
    notes: [
      ...(others === 0
        ? []
        : [
            `${plural(others, 'sandbox', 'sandboxes')} of other Temporal servers or namespaces: only those can judge them.`,
          ]),
      ...(unreadable === 0
        ? []
        : [
            `${plural(unreadable, 'sandbox', 'sandboxes')} could not be judged: what Temporal keeps of the run is encrypted, and ${KEY_VARIABLE} does not have the key.`,
          ]),
    ],
  };
}

function undefinedWithoutKey(error: unknown): undefined {
  if (!(error instanceof KeyMissing)) throw error;
}

type Labelled = FoundSandbox & { readonly labels: SandboxLabels };

function leftSandbox({ id, state }: FoundSandbox, labels: SandboxLabels | undefined): LeftSandbox {
  const about = { running: 'it still runs', 'half-made': 'it was never finished', ended: 'its processes are gone' }[
    state
  ];
  return {
    provider: 'local',
    sandbox: id,
    run: labels?.run ?? null,
    agent: labels?.agent ?? null,
    why:
      labels === undefined ? 'its record was lost' : `agent ${labels.agent} of run ${labels.run} has ended; ${about}`,
    deleted: false,
  };
}

async function daytona(
  session: Session,
  temporal: TemporalConnection | undefined,
  failed: (why: string) => void,
): Promise<FoundLeftovers> {
  if ((session.env['DAYTONA_API_KEY'] ?? '') === '') return { left: [], notes: [] };
  if (temporal === undefined)
    return { left: [], notes: ["Daytona's sandboxes could not be judged: no Temporal server runs."] };
  const provider = openProvider('daytona', session, temporal);
  try {
    const listed = await provider.list();
    const open = await Promise.all(listed.map(({ labels }) => agentIsOpen(temporal.client)(labels)));
    return { left: listed.filter((_, at) => open[at] === false).map(leftAtDaytona), notes: [] };
  } catch (error) {
    failed(`Daytona's sandboxes could not be judged: ${errorMessage(error)}`);
    return { left: [], notes: [] };
  } finally {
    await provider.close();
  }
}

function leftAtDaytona({ handle, labels }: SandboxListing): LeftSandbox {
  const why = `agent ${labels.agent} of run ${labels.run} has ended; it is at Daytona`;
  return { provider: 'daytona', sandbox: handle.id, run: labels.run, agent: labels.agent, why, deleted: false };
}

function openProvider(
  name: string,
  { env, stateDirectory, cacheDirectory }: Session,
  temporal: TemporalConnection | undefined,
): SandboxProvider {
  if (name === 'local') return createLocalProvider({ stateDirectory, cacheDirectory, log: () => undefined });
  return createDaytonaProvider({
    environment: env,
    cacheDirectory,
    ...(temporal === undefined ? {} : { owner: { cluster: temporal.clusterId, namespace: temporal.namespace } }),
  });
}

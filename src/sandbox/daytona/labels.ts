import type { SandboxLabels } from '../provider.ts';

/** On every sandbox of ours, so that a list of them needs nothing else. */
export const MARK = { 'durable-rlm': 'sandbox' } as const;

/** What else a listing must tell: the sandbox's own name changes when its deletion begins. */
export interface LabelledSandbox {
  readonly labels: SandboxLabels;
  readonly name: string;
  readonly generation: number;
}

export interface LabelFacts extends LabelledSandbox {
  /** What its patch is taken against; absent without a repository. */
  readonly commit: string | undefined;
  /** Minutes until it is removed, counted from each renewal. */
  readonly ttl: number;
}

export function toLabels({ labels, name, generation, commit, ttl }: LabelFacts): Record<string, string> {
  return {
    ...MARK,
    ...ownerLabels(labels),
    'rlm-run': labels.run,
    'rlm-execution': labels.execution,
    'rlm-agent': labels.agent,
    'rlm-name': name,
    'rlm-generation': String(generation),
    'rlm-ttl': String(ttl),
    ...(commit === undefined ? {} : { 'rlm-commit': commit }),
  };
}

export function ownerLabels(owner: Pick<SandboxLabels, 'cluster' | 'namespace'>): Record<string, string> {
  return { 'rlm-cluster': owner.cluster, 'rlm-namespace': owner.namespace };
}

/** Undefined for a sandbox that is not ours. */
export function fromLabels(labels: Readonly<Record<string, string>>): LabelledSandbox | undefined {
  const read = (name: string): string => labels[name] ?? '';
  const name = read('rlm-name');
  const generation = Number(read('rlm-generation'));
  if (labels['durable-rlm'] !== MARK['durable-rlm'] || name === '' || !Number.isInteger(generation)) return undefined;
  return {
    name,
    generation,
    labels: {
      cluster: read('rlm-cluster'),
      namespace: read('rlm-namespace'),
      run: read('rlm-run'),
      execution: read('rlm-execution'),
      agent: read('rlm-agent'),
    },
  };
}

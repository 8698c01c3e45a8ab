export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g;

/** Reads Prometheus's text format, and tells what a scrape would choke on: a bad line, or a metric described twice. */
export function parseMetrics(text: string): { readonly samples: readonly Sample[]; readonly problems: string[] } {
  const samples: Sample[] = [];
  const problems: string[] = [];
  const described = new Set<string>();
  for (const line of text.split('\n')) {
    const [, about] = /^# TYPE (\S+)/.exec(line) ?? [];
    if (about !== undefined && described.has(about)) problems.push(`described twice: ${about}`);
    if (about !== undefined) described.add(about);
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
    if (name === '' || (Number.isNaN(number) && !/^nan$/i.test(value))) problems.push(line);
    else samples.push({ name, value: number, labels: labelsOf(labels) });
  }
  return { samples, problems };
}

function labelsOf(text: string): Sample['labels'] {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name = '', value = '']) => [name, value]));
}

import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One node of the schema as JSON Schema has it: what messages and the reference are written from. */
export interface SettingNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SettingNode>>;
  readonly additionalProperties?: SettingNode | false;
  /** Of a list. */
  readonly items?: SettingNode;
  /** Its value is not to be quoted. */
  readonly secret?: boolean;
}

let root: SettingNode | undefined;

export function settings(): SettingNode {
  if (root === undefined) {
    // JSON Schema is a wider type than the part of it that our schema uses.
    const { $schema: _, ...schema } = z.toJSONSchema(configSchema, { io: 'input' });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
    root = schema as SettingNode;
  }
  return root;
}

/** The node at a path such as `['rlm', 'max_cost']`; undefined where the schema has none. */
export function settingAt(path: readonly string[]): SettingNode | undefined {
  let node: SettingNode | undefined = settings();
  for (const segment of path) {
    const values: SettingNode | false | undefined = node?.additionalProperties;
    const property: SettingNode | undefined = node?.properties?.[segment] ?? node?.items;
    node = property ?? (values === false ? undefined : values);
  }
  return node;
}

/** What a setting takes, in words: `a whole number of at least 1`. */
export function expectation(node: SettingNode): string {
  if (node.enum !== undefined) return node.enum.length === 1 ? `\`${node.enum[0]}\`` : `one of ${node.enum.join(', ')}`;
  switch (node.type) {
    case 'integer':
      return `a whole number${range(node)}`;
    case 'number':
      return `a number${range(node)}`;
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'array':
      return node.items?.properties === undefined ? 'a list of texts' : 'a list of `{key: value}` sections';
    default:
      return node.properties === undefined ? 'a list of `key: value` lines' : 'a section of settings';
  }
}

function range({ minimum, exclusiveMinimum, maximum: limit }: SettingNode): string {
  const maximum = limit === undefined || limit >= Number.MAX_SAFE_INTEGER ? undefined : limit;
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const lower = exclusiveMinimum === undefined ? undefined : `above ${exclusiveMinimum}`;
  const parts = [
    minimum === undefined ? lower : `of at least ${minimum}`,
    maximum === undefined ? undefined : `at most ${maximum}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

import { existsSync, readFileSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PRIVATE_FILE_MODE } from '../../files/private-folder.ts';
import { writeAtomically } from '../../files/write-atomically.ts';
import { makeScratchFolder, removeAbandoned, removeTree } from '../host/scratch.ts';
import type { SandboxLabels } from '../provider.ts';
import type { ProcessIdentity } from '../host/processes.ts';

/**
 * What the host keeps of a sandbox, in a folder that only the host's user can enter: written before anything is
 * started and completed when the kernel answers.
 *
 *     record.json   this
 *     launch.json   pid and start time of the process that becomes the sandbox, and its control groups, written by itself
 *     k             the kernel's socket
 *     network       with the socket of its proxy, where its code may reach hosts
 *     ended         written first by who destroys it: what is still starting then stops
 *     work          the clone, of a sandbox without isolation
 */
export interface SandboxRecord {
  readonly v: 1;
  readonly id: string;
  readonly name: string;
  readonly generation: number;
  readonly labels: SandboxLabels;
  readonly isolation: 'bubblewrap' | 'none';
  readonly boot: string;
  readonly created: string;
  readonly commit?: string;
  /** Of one that is no agent's yet: tells what it can stand for. */
  readonly spare?: string;
  /** Hosts that its code may reach. */
  readonly network?: readonly string[];
  /** Paths as the code inside sees them. */
  readonly inside: InsidePaths;
  /** Present once it runs. */
  readonly running?: {
    /** The kernel's supervisor: while it lives, the sandbox does. */
    readonly child: ProcessIdentity;
    /** Leader of the process group it was started in. */
    readonly launch: ProcessIdentity;
  };
}

export interface InsidePaths {
  readonly python: string;
  readonly kernel: string;
  readonly workspace: string;
  /** Objects and index of the base checkout; absent without a repository. */
  readonly objects?: string;
  readonly index?: string;
  /** Holds whatever was written to the clone, where it is a layer on the checkout. */
  readonly changes?: string;
  /** What a setup did to the clone, as `kernel baseline` took it down; has an index of its own. */
  readonly setup?: string;
  /** Room for taking the patch when the rest is full. */
  readonly scratch?: string;
}

const RECORD = 'record.json';

export class SandboxRecords {
  readonly directory: string;

  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, 'sandboxes');
  }

  folder(id: string): string {
    if (!/^[A-Za-z0-9._-]{1,100}$/.test(id) || id.startsWith('.')) throw new Error(`not the id of a sandbox: ${id}`);
    return join(this.directory, id);
  }

  /** The folder appears with its record in it, or not at all. */
  async create(record: SandboxRecord): Promise<string> {
    const folder = this.folder(record.id);
    const fresh = await makeScratchFolder(this.directory, 'new');
    await writeFile(join(fresh, RECORD), JSON.stringify(record), { mode: PRIVATE_FILE_MODE });
    await rename(fresh, folder);
    return folder;
  }

  async replace(record: SandboxRecord): Promise<void> {
    // When the machine has ended so has the sandbox.
    await writeAtomically(join(this.folder(record.id), RECORD), JSON.stringify(record), { synced: false });
  }

  /** Undefined when there is no such sandbox, or its record cannot be read. */
  read(id: string): SandboxRecord | undefined {
    const value = readJson(join(this.folder(id), RECORD));
    // By the folder: one that was claimed a moment ago still has the name it was made with in it.
    return isSandboxRecord(value) ? { ...value, id } : undefined;
  }

  /** False where another was first. */
  async rename(from: string, to: string): Promise<boolean> {
    try {
      await rename(this.folder(from), this.folder(to));
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  exists(id: string): boolean {
    return existsSync(this.folder(id));
  }

  /** Who was started in the folder, also when the record was not completed. */
  launch(id: string): ProcessIdentity | undefined {
    const value = readJson(join(this.folder(id), 'launch.json'));
    return isIdentity(value) ? value : undefined;
  }

  /** Its control groups. */
  groups(id: string): readonly string[] {
    const value = readJson(join(this.folder(id), 'launch.json'));
    if (typeof value !== 'object' || value === null || !('groups' in value) || !Array.isArray(value.groups)) return [];
    return value.groups.filter((group) => typeof group === 'string');
  }

  async markEnded(id: string): Promise<void> {
    await writeFile(join(this.folder(id), 'ended'), '', { mode: PRIVATE_FILE_MODE }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      },
    );
  }

  async remove(id: string): Promise<void> {
    // First what is still starting looks for after `ended`, which may go at any moment from here on.
    await rm(join(this.folder(id), RECORD), { force: true });
    await removeTree(this.folder(id));
  }

  /** Also removes folders that were never completed; nothing was started in them. */
  async ids(): Promise<string[]> {
    await removeAbandoned(this.directory);
    return this.names();
  }

  async names(): Promise<string[]> {
    const names = await readdir(this.directory).catch(() => []);
    return names.filter((name) => !name.startsWith('.'));
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Written by us, in a folder only we can write: what it is for sure is complete, not well-meaning. */
function isSandboxRecord(value: unknown): value is SandboxRecord {
  return typeof value === 'object' && value !== null && 'v' in value && value.v === 1 && 'inside' in value;
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return typeof value === 'object' && value !== null && 'pid' in value && 'start' in value;
}

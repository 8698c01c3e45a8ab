import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { forTask, withCode, type ScriptedModel } from '../../src/testing/index.ts';
import { createWorld, type World } from './world.ts';

/** Two runs on one worker. What the code of one does, in a block and between two, neither takes the host nor the other's time. */
vi.setConfig({ testTimeout: 600_000 });

const MEMORY_MB = 256;
/** What its files may take, and those of its patch: 1 GiB and 512 MiB. */
const FILES_MB = 1536;
const SUPERVISOR_MB = 192;
const MAX_PROCESSES = 512;
const REPETITIONS = 3;
const MAX_RATIO = 2;

/** Each ends by itself after a time, and takes no more than some hundred processes or MiB, limits or none. */
const BOMBS: readonly (readonly [name: string, step: string])[] = [
  ['memory', 'kept = [bytearray(10 << 20) for _ in range(50)]'],
  [
    'processes',
    `children = []
try:
    for _ in range(150):
        child = os.fork()
        if child == 0:
            end = time.time() + 2
            while time.time() < end: pass
            os._exit(0)
        children.append(child)
except OSError: pass
for child in children: os.waitpid(child, 0)`,
  ],
  [
    'disk',
    `try:
    with open("/tmp/fill", "wb") as file:
        for _ in range(500): file.write(bytes(1 << 20))
except OSError: pass
if os.path.exists("/tmp/fill"): os.unlink("/tmp/fill")`,
  ],
  [
    'inodes',
    `os.makedirs("/tmp/many", exist_ok=True)
try:
    for at in range(150_000): os.close(os.open("/tmp/many/%d" % at, os.O_CREAT))
except OSError: pass
shutil.rmtree("/tmp/many", ignore_errors=True)`,
  ],
  [
    'sockets',
    `kept = []
try:
    for _ in range(400):
        pair = socket.socketpair()
        kept.append(pair)
        pair[0].setblocking(False)
        try:
            while True: pair[0].send(bytes(65536))
        except BlockingIOError: pass
except OSError: pass
time.sleep(0.2)`,
  ],
];

const HEAD = 'import os, shutil, socket, subprocess, sys, time\nuntil = time.time() + 100\n';

/** One step after another, each in a process of its own, which may be ended. */
function bombProgram(step: string): string {
  const indented = step.replaceAll(/^/gm, '            ');
  return `${HEAD}while time.time() < until:
    child = os.fork()
    if child == 0:
        try:
${indented}
        finally: os._exit(0)
    os.waitpid(child, 0)
`;
}

const HARMLESS = `import hashlib, os
for at in range(40): hashlib.sha256(bytes(4 << 20)).digest()
for at in range(200):
    with open("/tmp/own%d" % at, "w") as file: file.write("x" * 1000)
said = llm_query_batched(["say %d" % at for at in range(5)])
os.getpid()`;

describe('a run beside one that attacks its sandbox', () => {
  let world: World;
  let model: ScriptedModel;
  let count = 0;
  const bombing = new Map<string, () => void>();

  beforeAll(async () => {
    world = await createWorld('local');
    await world.startWorker();
    const attack = (step: string) => ({
      in: withCode(`llm_query("bombing")\n${bombProgram(step)}`),
      between: withCode(
        `import subprocess, sys\nsubprocess.Popen([sys.executable, "-c", ${JSON.stringify(bombProgram(step))}], start_new_session=True)\nprint("left")`,
      ),
    });
    model = await world.startModel({
      scripts: [
        ...BOMBS.flatMap(([name, step]) => [
          forTask(
            `attack ${name} in a block`,
            Array.from({ length: 20 }, () => attack(step).in),
          ),
          forTask(`attack ${name} between blocks`, [
            attack(step).between,
            () => {
              bombing.get(name)?.();
              return { hang: true };
            },
          ]),
        ]),
        forTask('be harmless', [...Array.from({ length: 6 }, () => withCode(HARMLESS)), withCode('FINAL("done")')]),
        ({ messages, last }) => {
          if (messages.length > 1) return undefined;
          if (last === 'bombing') for (const begun of bombing.values()) begun();
          return 'said';
        },
      ],
    });
    await harmless(); // The first one makes the checkout.
  }, 120_000);
  afterAll(() => world.close());

  const config = { sandbox: { memory_mb: MEMORY_MB } };

  /** Seconds that it takes. */
  async function harmless(): Promise<number> {
    const began = performance.now();
    const outcome = await world.run({ id: `harmless-${(count += 1)}`, prompt: 'be harmless', model, config });
    expect(outcome).toMatchObject({ status: 'completed', answer: 'done', notes: [] });
    return (performance.now() - began) / 1000;
  }

  it.each(BOMBS.flatMap(([name]) => [`${name} in a block`, `${name} between blocks`]))(
    'is not slowed down to more than twice its time, and the host keeps what it has: %s',
    async (what) => {
      const [name = ''] = what.split(' ');
      const ratios: number[] = [];
      const most = { processes: 0, memory: 0, files: 0 };
      for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
        // oxlint-disable no-await-in-loop -- one after another: they are compared
        const alone = await harmless();
        const id = `attack-${(count += 1)}`;
        const begun = new Promise<void>((resolve) => bombing.set(name, resolve));
        const handle = await world.start({ id, prompt: `attack ${what}`, model, config });
        await begun;
        const watching = setInterval(() => {
          const now = takenBy(world, id);
          most.processes = Math.max(most.processes, now.processes);
          most.memory = Math.max(most.memory, now.memory);
          most.files = Math.max(most.files, now.files);
        }, 1000);
        const beside = await harmless();
        clearInterval(watching);
        bombing.delete(name);
        await handle.cancel();
        await handle.result();
        expect(await world.leftovers(id)).toEqual([]);
        ratios.push(beside / alone);
        if (beside / alone <= MAX_RATIO) break;
        // oxlint-enable no-await-in-loop
      }
      console.log(`${what}: ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}; ${JSON.stringify(most)}`);
      expect(most.processes).toBeGreaterThan(1);
      expect(most.processes).toBeLessThanOrEqual(MAX_PROCESSES + 10);
      // The watchdog looks every 50 ms: what comes in between is bounded as well.
      expect(most.memory).toBeLessThan(2 * MEMORY_MB + SUPERVISOR_MB);
      expect(most.files).toBeLessThanOrEqual(FILES_MB);
      expect(Math.min(...ratios)).toBeLessThanOrEqual(MAX_RATIO);
    },
  );
});

/** What the processes of a run's sandboxes have at this moment, looked at from the host: MiB of memory and of files. */
function takenBy({ folder }: World, run: string): { processes: number; memory: number; files: number } {
  const places = readdirSync(join(folder, 'state', 'sandboxes')).filter((name) => name.includes(`-${run}-`));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const first = pids.filter((pid) => {
    const line = read(`/proc/${pid}/cmdline`);
    return line.includes('\0serve\0') && places.some((place) => line.includes(place));
  });
  // bubblewrap itself is outside.
  const spaces = new Set(first.map((pid) => namespaceOf(pid)));
  for (const outside of ['', namespaceOf('self')]) spaces.delete(outside);
  const inside = pids.filter((pid) => spaces.has(namespaceOf(pid)));
  const memory = inside.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024);
  const files = inside.slice(0, 1).map((pid) => usedBy(`/proc/${pid}/root/tmp`));
  return { processes: inside.length, memory: sum(memory), files: sum(files) };
}

const sum = (values: readonly number[]): number => Math.round(values.reduce((all, each) => all + each, 0));

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // It has ended.
  }
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

function usedBy(path: string): number {
  try {
    const { blocks, bfree, bsize } = statfsSync(path);
    return ((blocks - bfree) * bsize) / 1024 / 1024;
  } catch {
    return 0;
  }
}

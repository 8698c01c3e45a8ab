import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findPython } from '../../src/sandbox/kernel-python.ts';
import { CALLS } from './attempts.ts';

const FOLDER = fileURLToPath(new URL('../../python/rlm_launcher', import.meta.url));
const { path: python } = await findPython();

const ARCHITECTURES = { x86_64: 0xc000003e, aarch64: 0xc00000b7, i386: 0x40000003 };
const [ALLOW, KILL] = [0x7fff0000, 0x80000000];
const refused = (errno: number): number => 0x00050000 + errno;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [refused(1), refused(38), refused(97)];

/** Calls by their number that ordinary programs need. */
const ORDINARY = {
  x86_64: {
    read: 0,
    write: 1,
    mmap: 9,
    fork: 57,
    execve: 59,
    futex: 202,
    openat: 257,
    statx: 332,
    pidfd_open: 434,
    clock_gettime: 228,
    epoll_wait: 232,
    kill: 62,
  },
  aarch64: {
    read: 63,
    write: 64,
    mmap: 222,
    execve: 221,
    futex: 98,
    openat: 56,
    statx: 291,
    pidfd_open: 434,
    clock_gettime: 113,
    epoll_pwait: 22,
    kill: 129,
  },
};
const NUMBERS = {
  x86_64: { socket: 41, socketpair: 53, ioctl: 16, prlimit: 302, setpriority: 141, ioprio_set: 251 },
  aarch64: { socket: 198, socketpair: 199, ioctl: 29, prlimit: 261, setpriority: 140, ioprio_set: 30 },
};

/** `sched_setparam`, `sched_setscheduler`, `sched_setaffinity`, `sched_setattr`. */
const SCHEDULING = { x86_64: [142, 144, 203, 314], aarch64: [118, 119, 122, 274] };

function assemble(machine: string): Buffer {
  const script =
    'import sys; sys.path[:0] = [sys.argv[1]]; import seccomp; sys.stdout.buffer.write(seccomp.program(sys.argv[2]))';
  return execFileSync(python, ['-I', '-S', '-B', '-c', script, FOLDER, machine], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What the kernel would make of a system call: the instructions of classic BPF that the filter uses, carried out. */
function decide(program: Buffer, architecture: number, number: number, arguments_: readonly number[] = []): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(architecture, 4);
  arguments_.forEach((argument, place) => data.writeUInt32LE(argument >>> 0, 16 + 8 * place));
  let loaded = 0;
  for (let place = 0; place < program.length / 8; place += 1) {
    const code = program.readUInt16LE(place * 8);
    const [jumpTrue, jumpFalse] = [program.readUInt8(place * 8 + 2), program.readUInt8(place * 8 + 3)];
    const k = program.readUInt32LE(place * 8 + 4);
    if (code === 0x06) return k;
    if (code === 0x20) loaded = data.readUInt32LE(k);
    else if (code === 0x15) place += loaded === k ? jumpTrue : jumpFalse;
    else if (code === 0x35) place += loaded >= k ? jumpTrue : jumpFalse;
    else if (code === 0x45) place += (loaded & k) !== 0 ? jumpTrue : jumpFalse;
    else throw new Error(`instruction ${code} at ${place}`);
  }
  throw new Error('the filter has no end');
}

describe.each(['x86_64', 'aarch64'] as const)('the system call filter for %s', (machine) => {
  const program = assemble(machine);
  const ask = (number: number, ...arguments_: number[]): number =>
    decide(program, ARCHITECTURES[machine], number, arguments_);
  const calls = CALLS[machine];
  const numbers = NUMBERS[machine];

  it('is a program the kernel accepts: at most 4096 instructions, every jump inside', () => {
    expect(program.length % 8).toBe(0);
    expect(program.length / 8).toBeLessThan(4096);
    for (let number = 0; number < 500; number += 1) expect([ALLOW, EPERM, ENOSYS, EAFNOSUPPORT]).toContain(ask(number));
  });

  it.each(Object.entries(ORDINARY[machine]))('allows %s', (_, number) => {
    expect(ask(number)).toBe(ALLOW);
  });

  it('kills who calls by the numbers of another architecture', () => {
    const others = Object.values(ARCHITECTURES).filter((architecture) => architecture !== ARCHITECTURES[machine]);
    for (const other of others) expect(decide(program, other, 0)).toBe(KILL);
  });

  it.each(['memfd_create', 'memfd_secret', 'io_uring_setup', 'clone3'] as const)('has no %s', (name) => {
    expect(ask(calls[name])).toBe(ENOSYS);
  });

  it.each(
    (Object.keys(calls) as (keyof typeof calls)[]).filter(
      (name) =>
        !['memfd_create', 'memfd_secret', 'io_uring_setup', 'clone3', 'clone', 'personality', 'pidfd_open'].includes(
          name,
        ),
    ),
  )('refuses %s', (name) => {
    expect(ask(calls[name])).toBe(EPERM);
  });

  it('allows threads and processes, not namespaces', () => {
    expect(ask(calls.clone, 0x3d0f00)).toBe(ALLOW);
    expect(ask(calls.clone, 17)).toBe(ALLOW);
    for (const flag of [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(ask(calls.clone, flag + 17)).toBe(EPERM);
    }
  });

  it('allows unix and internet sockets and the list of interfaces', () => {
    for (const family of [1, 2, 10]) expect(ask(numbers.socket, family, 1, 0)).toBe(ALLOW);
    expect(ask(numbers.socket, 16, 3, 0)).toBe(ALLOW);
    for (const protocol of [9, 12, 16]) expect(ask(numbers.socket, 16, 3, protocol)).toBe(EAFNOSUPPORT);
    for (const family of [0, 15, 17, 31, 38, 40, 44, 45]) expect(ask(numbers.socket, family, 1, 0)).toBe(EAFNOSUPPORT);
    expect(ask(numbers.socketpair, 1, 1, 0)).toBe(ALLOW);
    expect(ask(numbers.socketpair, 2, 1, 0)).toBe(EAFNOSUPPORT);
  });

  it('lets nobody change when the supervisor has its turn', () => {
    for (const number of SCHEDULING[machine]) {
      expect([0, 2, 77].map((pid) => ask(number, pid))).toEqual([ALLOW, ALLOW, ALLOW]);
      expect(ask(number, 1)).toBe(EPERM);
    }
    for (const [number, user] of [
      [numbers.setpriority, 2],
      [numbers.ioprio_set, 3],
    ] as const) {
      for (const kind of [user - 2, user - 1]) {
        expect([0, 2].map((who) => ask(number, kind, who))).toEqual([ALLOW, ALLOW]);
        expect(ask(number, kind, 1)).toBe(EPERM);
      }
      expect([0, 1, 1000].map((who) => ask(number, user, who))).toEqual([EPERM, EPERM, EPERM]);
    }
  });

  it('looks at the arguments of the others', () => {
    expect(ask(numbers.ioctl, 0, 0x5401)).toBe(ALLOW);
    for (const request of [0x5412, 0x541c]) expect(ask(numbers.ioctl, 0, request)).toBe(EPERM);
    expect(ask(calls.personality, 0xffffffff)).toBe(ALLOW);
    expect(ask(calls.personality, 0x0040000)).toBe(EPERM);
    expect(ask(numbers.prlimit, 0, 7)).toBe(ALLOW);
    expect(ask(numbers.prlimit, 1, 7)).toBe(EPERM);
  });
});

describe('the system call filter', () => {
  it('does not exist for an architecture it was not written for', () => {
    expect(() => assemble('riscv64')).toThrow(/no system call filter for riscv64/);
  });

  it('refuses the 32-bit numbers of x86_64', () => {
    expect(decide(assemble('x86_64'), ARCHITECTURES.x86_64, 0x40000000 + 1)).toBe(ENOSYS);
  });
});

/** What the host puts in the way of the attempts: things that must not be reached. */
export interface Bait {
  /** A file of the host, and a word in it. */
  readonly file: string;
  readonly word: string;
  /** A port on the host's loopback, and an abstract unix socket. */
  readonly port: number;
  readonly socket: string;
  /** A process of the host, and a word in its command line. */
  readonly pid: number;
  readonly stateDirectory: string;
}

export interface Attempt {
  readonly name: string;
  /** Python; `bait` and `libc` are there. It must raise OSError, or say BLOCKED itself. */
  readonly code: string;
  /** Ended by this signal instead. */
  readonly killedBy?: number;
  readonly machine?: string;
}

/** Numbers of system calls by architecture. */
export const CALLS = {
  x86_64: {
    add_key: 248,
    request_key: 249,
    keyctl: 250,
    bpf: 321,
    perf_event_open: 298,
    userfaultfd: 323,
    io_uring_setup: 425,
    memfd_create: 319,
    memfd_secret: 447,
    shmget: 29,
    semget: 64,
    msgget: 68,
    kexec_load: 246,
    init_module: 175,
    finit_module: 313,
    reboot: 169,
    swapon: 167,
    settimeofday: 164,
    clock_settime: 227,
    sethostname: 170,
    acct: 163,
    syslog: 103,
    mount: 165,
    umount2: 166,
    pivot_root: 155,
    chroot: 161,
    unshare: 272,
    setns: 308,
    open_tree: 428,
    fsopen: 430,
    mount_setattr: 442,
    clone: 56,
    clone3: 435,
    open_by_handle_at: 304,
    process_vm_readv: 310,
    pidfd_open: 434,
    pidfd_getfd: 438,
    kcmp: 312,
    personality: 135,
    ptrace: 101,
    quotactl: 179,
    fanotify_init: 300,
    move_pages: 279,
  },
  aarch64: {
    add_key: 217,
    request_key: 218,
    keyctl: 219,
    bpf: 280,
    perf_event_open: 241,
    userfaultfd: 282,
    io_uring_setup: 425,
    memfd_create: 279,
    memfd_secret: 447,
    shmget: 194,
    semget: 190,
    msgget: 186,
    kexec_load: 104,
    init_module: 105,
    finit_module: 273,
    reboot: 142,
    swapon: 224,
    settimeofday: 170,
    clock_settime: 112,
    sethostname: 161,
    acct: 89,
    syslog: 116,
    mount: 40,
    umount2: 39,
    pivot_root: 41,
    chroot: 51,
    unshare: 97,
    setns: 268,
    open_tree: 428,
    fsopen: 430,
    mount_setattr: 442,
    clone: 220,
    clone3: 435,
    open_by_handle_at: 265,
    process_vm_readv: 270,
    pidfd_open: 434,
    pidfd_getfd: 438,
    kcmp: 272,
    personality: 92,
    ptrace: 117,
    quotactl: 60,
    fanotify_init: 262,
    move_pages: 239,
  },
};

/**
 * Runs inside: reads `{bait, calls, attempts}` on its input, makes each attempt in a process of its own, and prints one
 * result for each.
 */
export const RUNNER = `
import ctypes, errno, glob, json, mmap, os, platform, resource, signal, socket, struct, sys, traceback
given = json.load(sys.stdin)
bait, CALLS = given["bait"], given["calls"][platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    """A system call by its number; raises what it answers."""
    result = libc.syscall(ctypes.c_long(CALLS[name]), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def read(path):
    with open(path, "rb") as file: return file.read(100000)
def write(path, text):
    os.write(os.open(path, os.O_WRONLY), text.encode())
class Outcome(Exception): pass
def blocked(condition, what=""):
    raise Outcome([bool(condition), str(what)])
def outcome(code):
    try: exec(code, dict(globals()))
    except Outcome as said: return said.args[0]
    except OSError as refused: return [True, str(refused)]
    except BaseException: return [False, traceback.format_exc()]
    return [False, "nothing stood in its way"]
results = []
for attempt in given["attempts"]:
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        os.dup2(os.open("/dev/null", os.O_RDWR), 0); os.dup2(0, 1); os.dup2(0, 2)
        kept = os.dup2(there, 100, False); os.closerange(3, 100)
        said = outcome(attempt["code"])
        os.write(kept, json.dumps(said).encode()); os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as file: said = file.read()
    status = os.waitpid(child, 0)[1]
    if attempt.get("killedBy"): results.append([os.WIFSIGNALED(status) and os.WTERMSIG(status) == attempt["killedBy"], str(status)])
    else: results.append(json.loads(said) if said else [False, "it ended: %d" % status])
print(json.dumps(results))
`;

const refusedCall = (name: string, arguments_ = '0, 0, 0, 0, 0'): Attempt => ({
  name: `the system call ${name}`,
  code: `call(${JSON.stringify(name)}, ${arguments_})`,
});

export const ATTEMPTS: readonly Attempt[] = [
  // Files.
  { name: 'reading a file of the host', code: 'read(bait["file"])' },
  { name: 'listing the folder of all sandboxes', code: 'os.listdir(bait["stateDirectory"])' },
  {
    name: 'finding a file of the host through /proc',
    code: 'found = [p for p in glob.glob("/proc/[0-9]*/root" + bait["file"]) + glob.glob("/proc/[0-9]*/cwd/../.." + bait["file"]) if os.path.exists(p)]\nblocked(not found, found)',
  },
  {
    name: "seeing the host's accounts",
    code: 'lines = read("/etc/passwd").splitlines()\nblocked(len(lines) == 3 and not os.path.exists("/etc/shadow"), lines)',
  },
  {
    name: "seeing the host's /tmp, /home, /root, /var, /sys and /boot",
    code: 'there = [p for p in ("/root", "/boot", "/sys", "/srv", "/mnt", "/media", "/run/user", "/var/lib", "/home/" + str(os.getuid())) if os.path.exists(p)]\nblocked(not there and os.listdir("/home") == ["agent"] and not [n for n in os.listdir("/tmp") if not n.startswith("rlm-bytecode")], there)',
  },
  ...['/x', '/usr/x', '/etc/x', '/dev/x', '/run/x', '/run/rlm/x', '/home/x', '/proc/x', '/var/x', '/usr/bin/x'].map(
    (path): Attempt => ({ name: `writing ${path}`, code: `open(${JSON.stringify(path)}, "w")` }),
  ),
  { name: 'replacing the kernel', code: '[path] = glob.glob("/run/rlm/*/*/kernel*")\nopen(path, "ab")' },
  {
    name: 'replacing the kernel by renaming',
    code: '[path] = glob.glob("/run/rlm/*/*/kernel*")\nos.rename(path, "/tmp/k")',
  },
  { name: 'changing the objects all clones borrow', code: 'open("/run/rlm/objects/x", "w")' },
  { name: 'changing the index patches are taken with', code: 'open("/run/rlm/index", "ab")' },
  { name: 'making the read-only system writable', code: 'os.chmod("/usr", 0o777)' },
  { name: 'making a device', code: 'os.mknod("/tmp/memory", 0o600 | 0o020000, os.makedev(1, 1))' },
  ...['/dev/mem', '/dev/kmem', '/dev/port', '/dev/kmsg', '/dev/vda', '/dev/sda', '/dev/fuse', '/dev/kvm'].map(
    (path): Attempt => ({ name: `opening ${path}`, code: `os.open(${JSON.stringify(path)}, os.O_RDWR)` }),
  ),
  // Environment and descriptors.
  {
    name: "reading the worker's environment",
    code: 'found = [p for p in glob.glob("/proc/[0-9]*/environ") if os.access(p, os.R_OK) and bait["word"].encode() in read(p)]\nblocked(not found and bait["word"] not in str(os.environ), found)',
  },
  {
    name: "finding a variable of the host's in the first process",
    code: 'try: names = {part.split(b"=")[0].decode() for part in read("/proc/1/environ").split(b"\\0") if part}\nexcept PermissionError: blocked(True)\nblocked(names <= {"PATH", "HOME", "USER", "LANG", "PYTHONHASHSEED", "PWD"}, names)',
  },
  {
    name: 'using a descriptor that was left open',
    code: 'left = [os.readlink("/proc/self/fd/" + n) for n in os.listdir("/proc/self/fd") if int(n) not in (0, 1, 2, 100)]\nblocked(not [l for l in left if not l.startswith("/proc/")], left)',
  },
  {
    name: "taking the supervisor's descriptors",
    code: 'print([os.readlink("/proc/1/fd/" + n) for n in os.listdir("/proc/1/fd")])',
  },
  {
    name: "taking the supervisor's listening socket by pidfd",
    code: 'call("pidfd_getfd", call("pidfd_open", 1, 0), 3, 0)',
  },
  // Network and sockets.
  { name: 'a connection to the host over loopback', code: 'socket.create_connection(("127.0.0.1", bait["port"]), 3)' },
  { name: 'a connection to the outside', code: 'socket.create_connection(("192.0.2.1", 80), 3)' },
  {
    name: 'a name server',
    code: 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("192.0.2.53", 53)); s.send(b"x")',
  },
  {
    name: 'an abstract unix socket of the host',
    code: 's = socket.socket(socket.AF_UNIX); s.connect("\\0" + bait["socket"])',
  },
  {
    name: 'a network interface besides loopback',
    code: 'names = [name for _, name in socket.if_nameindex()]\nblocked(names in ([], ["lo"]), names)',
  },
  ...(
    [
      ['AF_VSOCK', 40, 'SOCK_STREAM', 0],
      ['AF_PACKET', 17, 'SOCK_RAW', 0],
      ['AF_ALG', 38, 'SOCK_SEQPACKET', 0],
      ['AF_BLUETOOTH', 31, 'SOCK_RAW', 0],
      ['AF_KEY', 15, 'SOCK_RAW', 2],
      ['AF_XDP', 44, 'SOCK_RAW', 0],
      ['AF_NETLINK for netfilter', 16, 'SOCK_RAW', 12],
      ['AF_NETLINK for audit', 16, 'SOCK_RAW', 9],
      ['AF_INET raw', 2, 'SOCK_RAW', 1],
    ] as const
  ).map(([name, family, kind, protocol]): Attempt => ({
    name: `a socket of ${name}`,
    code: `socket.socket(${family}, socket.${kind}, ${protocol})`,
  })),
  {
    name: "finding the kernel's socket, to put a link in its place",
    code: 'found = [os.path.join(f, n) for top in ("/run", "/tmp", "/home", "/workspace", "/dev/shm") for f, _, names in os.walk(top) for n in names if n == "k"]\nblocked(not found and bait["stateDirectory"].encode() not in read("/proc/self/mountinfo") , found)',
  },
  // Other processes.
  {
    name: 'seeing a process of the host',
    code: 'found = [p for p in glob.glob("/proc/[0-9]*/cmdline") if bait["word"].encode() in read(p) and not p.startswith("/proc/%d/" % os.getpid())]\nblocked(not found, found)',
  },
  { name: 'sending a signal to a process of the host', code: 'os.kill(bait["pid"], 9)' },
  { name: 'killing the supervisor', code: 'os.kill(1, 9)\nblocked(os.path.exists("/proc/1"))' },
  { name: 'tracing the supervisor', code: 'call("ptrace", 16, 1, 0, 0)' },
  { name: "reading the supervisor's memory", code: 'open("/proc/1/mem", "rb")' },
  { name: "writing the supervisor's memory", code: 'open("/proc/1/mem", "r+b")' },
  refusedCall('process_vm_readv', '1, 0, 0, 0, 0, 0'),
  refusedCall('kcmp', '1, 1, 0, 0, 0'),
  { name: "making the supervisor's turn come last", code: 'os.setpriority(os.PRIO_PROCESS, 1, 19)' },
  { name: 'making the turn of all processes come last', code: 'os.setpriority(os.PRIO_USER, 0, 19)' },
  {
    name: 'having the supervisor run only when nothing else does',
    code: 'os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))',
  },
  { name: "changing the supervisor's processors", code: 'os.sched_setaffinity(1, os.sched_getaffinity(0))' },
  { name: "changing the supervisor's limits", code: 'resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1))' },
  // Settings of the machine.
  ...['core_pattern', 'hostname', 'printk', 'randomize_va_space', 'modprobe', 'keys/maxkeys'].map((name): Attempt => ({
    name: `writing kernel/${name}`,
    code: `write("/proc/sys/kernel/${name}", "x")`,
  })),
  { name: 'writing vm/overcommit_memory', code: 'write("/proc/sys/vm/overcommit_memory", "1")' },
  { name: 'the magic SysRq key', code: 'write("/proc/sysrq-trigger", "b")' },
  { name: 'allowing more user namespaces', code: 'write("/proc/sys/user/max_user_namespaces", "100")' },
  { name: 'a uid map of its own', code: 'write("/proc/self/uid_map", "0 0 1")' },
  { name: 'giving itself a lower chance to be killed', code: 'write("/proc/self/oom_score_adj", "-1000")' },
  // Privileges.
  { name: 'becoming root', code: 'os.setuid(0)' },
  { name: 'becoming another group', code: 'os.setgid(0)' },
  { name: 'joining groups', code: 'os.setgroups([0])' },
  {
    name: 'having capabilities, or ways to get some',
    code: 'status = dict(line.split(":\\t", 1) for line in read("/proc/self/status").decode().splitlines() if ":\\t" in line)\nblocked(all(int(status[n], 16) == 0 for n in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status)',
  },
  {
    name: 'a program with the setuid bit',
    code: 'import subprocess\nended = subprocess.run(["su", "root", "-c", "id -u"], capture_output=True, stdin=subprocess.DEVNULL)\nblocked(b"0" != ended.stdout.strip(), ended.stdout)',
  },
  { name: 'a user namespace by clone', code: 'call("clone", 0x10000000 | 17, 0, 0, 0, 0)' },
  { name: 'a mount namespace by clone', code: 'call("clone", 0x00020000 | 17, 0, 0, 0, 0)' },
  {
    name: 'a namespace by clone3',
    code: 'call("clone3", ctypes.create_string_buffer(struct.pack("<Q", 0x10000000) + bytes(80)), 88)',
  },
  refusedCall('unshare', '0x10000000'),
  refusedCall('unshare', '0x00020000'),
  { name: "entering the first process's namespaces", code: 'call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0)' },
  refusedCall('mount', 'b"none", b"/tmp", b"tmpfs", 0, 0'),
  refusedCall('umount2', 'b"/usr", 2'),
  refusedCall('pivot_root', 'b"/tmp", b"/tmp"'),
  refusedCall('chroot', 'b"/tmp"'),
  refusedCall('open_tree', '-100, b"/", 1'),
  refusedCall('fsopen', 'b"tmpfs", 0'),
  refusedCall('mount_setattr', '-100, b"/", 0, 0, 0'),
  refusedCall('open_by_handle_at'),
  // Keys, shared memory, parts of the kernel.
  refusedCall('keyctl', '0, -3, 0, 0, 0'),
  refusedCall('add_key', 'b"user", b"name", b"data", 4, -3'),
  refusedCall('request_key', 'b"user", b"name", 0, -3'),
  refusedCall('memfd_create', 'b"name", 0'),
  refusedCall('memfd_secret', '0'),
  refusedCall('shmget', '0, 4096, 0o1600'),
  refusedCall('semget', '0, 1, 0o1600'),
  refusedCall('msgget', '0, 0o1600'),
  refusedCall('io_uring_setup', '8, ctypes.create_string_buffer(120)'),
  refusedCall('bpf', '0, ctypes.create_string_buffer(120), 120'),
  refusedCall('perf_event_open', 'ctypes.create_string_buffer(120), 0, -1, -1, 0'),
  refusedCall('userfaultfd', '1'),
  refusedCall('fanotify_init', '0, 0'),
  refusedCall('kexec_load'),
  refusedCall('init_module'),
  refusedCall('finit_module', '0, b"", 0'),
  refusedCall('reboot', '0xfee1dead, 672274793, 0, 0'),
  refusedCall('swapon', 'b"/tmp/x", 0'),
  refusedCall('settimeofday', 'ctypes.create_string_buffer(16), 0'),
  refusedCall('clock_settime', '0, ctypes.create_string_buffer(16)'),
  refusedCall('sethostname', 'b"x", 1'),
  refusedCall('syslog', '3, ctypes.create_string_buffer(100), 100'),
  refusedCall('acct', '0'),
  refusedCall('quotactl'),
  refusedCall('move_pages', '1, 0, 0, 0, 0, 0'),
  refusedCall('personality', '0x0040000'),
  {
    name: 'typing into a terminal',
    code: 'import fcntl, pty\nmaster, slave = pty.openpty()\nfcntl.ioctl(slave, 0x5412, b"x")',
  },
  {
    name: 'system calls of another architecture, which no filter has looked at',
    code: 'area = mmap.mmap(-1, 4096, prot=7)\narea.write(bytes.fromhex("b814000000cd80c3"))\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))()',
    machine: 'x86_64',
    killedBy: 31,
  },
  // Using up the machine.
  {
    name: 'processes without end',
    code: `
children = []
try:
    while len(children) < 2000:
        child = os.fork()
        if child == 0:
            signal.pause(); os._exit(0)
        children.append(child)
except OSError: pass
for child in children: os.kill(child, 9)
for child in children: os.waitpid(child, 0)
blocked(10 < len(children) <= 512, len(children))`,
  },
  {
    name: 'filling the disk or the memory with files',
    code: `
for folder in ("/workspace", "/tmp", "/dev/shm", "/home/agent"):
    file = open(folder + "/fill", "wb")
    try: os.posix_fallocate(file.fileno(), 0, 3 << 30)
    except OSError: continue
    finally: os.unlink(folder + "/fill")
    blocked(False, folder)
blocked(True)`,
  },
  {
    name: 'filling several file systems, each to its limit',
    code: `
import errno
total = 0
for folder in ("/workspace", "/tmp", "/dev/shm", "/home/agent"):
    for place in range(6):
        file = open(folder + "/fill" + str(place), "wb")
        try: os.posix_fallocate(file.fileno(), 0, 256 << 20); total += 256
        except OSError: pass
for path in glob.glob("/workspace/fill*") + glob.glob("/tmp/fill*") + glob.glob("/dev/shm/fill*") + glob.glob("/home/agent/fill*"): os.unlink(path)
blocked(total <= 1024, total)`,
  },
  {
    name: 'a single huge allocation',
    code: 'try: mmap.mmap(-1, 64 << 30)\nexcept (MemoryError, OSError, ValueError): blocked(True)',
  },
  {
    name: 'raising its own limits',
    code: 'try: resource.setrlimit(resource.RLIMIT_NPROC, (100000, 100000))\nexcept (ValueError, OSError): blocked(True)',
  },
  {
    name: 'opening files without end',
    code: 'files = []\nwhile len(files) < 5000: files.append(os.open("/dev/null", os.O_RDONLY))',
  },
  {
    name: 'locking memory',
    code: 'area = mmap.mmap(-1, 16 << 20)\naddress = ctypes.addressof(ctypes.c_char.from_buffer(area))\nif libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(16 << 20)) != 0: blocked(True)',
  },
  { name: 'going before everyone else', code: 'os.nice(-5)' },
  { name: 'real-time priority', code: 'os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))' },
];

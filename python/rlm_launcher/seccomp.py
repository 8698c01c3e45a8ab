"""The system call filter of a sandbox, assembled by hand as classic BPF for x86_64 and aarch64.

Everything is allowed that is not named here: model-written code runs compilers, test suites and native
extensions. What is named is either a way round a limit of the sandbox (memory that no limit counts, devices of
the hypervisor), a part of the kernel with a long history of holes, or of no use without privileges.
"""

import errno
import os
import struct

_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

# Numbers by (x86_64, aarch64); None where the architecture has no such call.
_REFUSED = {
    # Reaching into other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # Keyrings are not namespaced by our user namespaces alone: the session keyring is the launcher's.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Parts of the kernel that sandboxes do best without.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "nfsservctl": (180, 42),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # Mounts and namespaces.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    # The machine itself.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Memory that outlives its process: no limit of ours counts it.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
}

# Answered with ENOSYS, so that libraries take their older way instead of giving up.
_ABSENT = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Its flags lie behind a pointer, where no filter can look.
    "clone3": (435, 435),
    # Their number is limited for the whole machine: a database of the host would find none left.
    "io_setup": (206, 0),
}

_CLONE = (56, 220)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_IOCTL = (16, 29)
_PERSONALITY = (135, 92)
_PRLIMIT = (302, 261)

_SUPERVISOR = 1
# How the processor and the disk are given out, with the argument that names a process: the code could have the supervisor,
# of the same uid, run only when nothing else does, and nobody would look at the memory any more.
_SCHEDULING = {
    "sched_setparam": ((142, 118), 0),
    "sched_setscheduler": ((144, 119), 0),
    "sched_setaffinity": ((203, 122), 0),
    "sched_setattr": ((314, 274), 0),
}
# The same, for a process, a group or (by this value of the first argument) all processes of the user.
_SCHEDULING_BY_KIND = {
    "setpriority": ((141, 140), 2),
    "ioprio_set": ((251, 30), 3),
}

# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACE_FLAGS = 0x7E020000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_X32_BIT = 0x40000000


def _statement(code, k):
    return struct.pack("<HBBI", code, 0, 0, k)


def _jump(code, k, if_true, if_false):
    return struct.pack("<HBBI", code, if_true, if_false, k)


def _load_argument(index):
    return _statement(_LOAD, _ARGUMENTS + 8 * index)


def _refusal(number=errno.EPERM):
    return _statement(_RET, _ERRNO | number)


def _when(number, body):
    """Runs `body`, whose every path returns, for one system call; others jump over it."""
    return _jump(_JEQ, number, 0, len(body) // 8) + body


def _one_of(index, allowed, refusal):
    """Allows the call when its argument is one of a few values."""
    tests = b"".join(_jump(_JEQ, value, len(allowed) - place, 0) for place, value in enumerate(allowed))
    return _load_argument(index) + tests + refusal + _statement(_RET, _ALLOW)


def _not_one_of(index, refused, refusal):
    tests = b"".join(_jump(_JEQ, value, len(refused) - place, 0) for place, value in enumerate(refused))
    return _load_argument(index) + tests + _statement(_RET, _ALLOW) + refusal


def _sockets():
    """Unix and internet sockets; of netlink only the routing protocol, which lists network interfaces."""
    refusal = _refusal(errno.EAFNOSUPPORT)
    allowed = [_AF_UNIX, _AF_INET, _AF_INET6]
    netlink = _load_argument(2) + _jump(_JEQ, 0, 1, 0) + refusal + _statement(_RET, _ALLOW)
    tests = b"".join(_jump(_JEQ, value, len(allowed) - 1 - place, 0) for place, value in enumerate(allowed[:-1]))
    tests += _jump(_JEQ, allowed[-1], 0, 1) + _statement(_RET, _ALLOW)
    tests += _jump(_JEQ, _AF_NETLINK, 1, 0) + refusal
    return _load_argument(0) + tests + netlink


def program(machine=None):
    """The filter as bytes, as `bwrap --seccomp` reads it.

    Raises ValueError on an architecture it was not written for.
    """
    name = machine or os.uname().machine
    if name not in _ARCHITECTURES:
        raise ValueError(f"no system call filter for {name}: x86_64 and aarch64 are supported")
    architecture = _ARCHITECTURES[name]
    column = 0 if architecture == _X86_64 else 1

    parts = [
        _statement(_LOAD, _ARCH),
        _jump(_JEQ, architecture, 1, 0),
        _statement(_RET, _KILL),
        _statement(_LOAD, _NUMBER),
    ]
    if architecture == _X86_64:
        parts.append(_jump(_JGE, _X32_BIT, 0, 1) + _refusal(errno.ENOSYS))
    clone = _load_argument(0) + _jump(_JSET, _NAMESPACE_FLAGS, 0, 1) + _refusal() + _statement(_RET, _ALLOW)
    parts.append(_when(_CLONE[column], clone))
    parts.append(_when(_SOCKET[column], _sockets()))
    parts.append(_when(_SOCKETPAIR[column], _one_of(0, [_AF_UNIX], _refusal(errno.EAFNOSUPPORT))))
    parts.append(_when(_IOCTL[column], _not_one_of(1, [_TIOCSTI, _TIOCLINUX], _refusal())))
    parts.append(_when(_PERSONALITY[column], _one_of(0, [0, 0xFFFFFFFF], _refusal())))
    # One's own limits only: the code could leave the supervisor, of the same uid, without descriptors.
    parts.append(_when(_PRLIMIT[column], _one_of(0, [0], _refusal())))
    for numbers, index in _SCHEDULING.values():
        parts.append(_when(numbers[column], _not_one_of(index, [_SUPERVISOR], _refusal())))
    for numbers, user in _SCHEDULING_BY_KIND.values():
        of_user = _load_argument(0) + _jump(_JEQ, user, 0, 1) + _refusal()
        parts.append(_when(numbers[column], of_user + _not_one_of(1, [_SUPERVISOR], _refusal())))
    for numbers in _ABSENT.values():
        if numbers[column] is not None:
            parts.append(_when(numbers[column], _refusal(errno.ENOSYS)))
    for numbers in _REFUSED.values():
        if numbers[column] is not None:
            parts.append(_when(numbers[column], _refusal()))
    parts.append(_statement(_RET, _ALLOW))
    return b"".join(parts)

"""Whether a process could still go on by itself, read from what its threads wait for in the kernel."""

import os

from rlm_kernel.system import read_proc

_FULL = (-1, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)

# System call numbers: (receive on a descriptor, wait for a lock, wait with a deadline argument that is a pointer
# or a number of milliseconds).
_TABLES = {
    "x86_64": {
        "receive": (0, 45, 47),
        "pointer": {202: 3, 271: 2, 270: 4, 23: 4, 449: 3, 441: 3},
        "number": {7: 2, 232: 3, 281: 3},
        "forever": (34,),
    },
    "aarch64": {
        "receive": (63, 207, 212),
        "pointer": {98: 3, 73: 2, 72: 4, 449: 3, 441: 3},
        "number": {22: 3},
        "forever": (),
    },
}
_TABLE = _TABLES.get(os.uname().machine)
_MOST_THREADS = 1024


def cannot_go_on(pid, descriptors):
    """True where every thread of `pid` waits without a deadline, at least one of them on a bridge descriptor.

    Read twice: a thread that was woken by another between two looks has run in the meantime, and its count of
    context switches tells. Anything unreadable or unknown means False.
    """
    if _TABLE is None:
        return False
    first = _look(pid, descriptors)
    return first is not None and _look(pid, descriptors) == first


def _look(pid, descriptors):
    """Threads and their context switches, or None where one of them may go on."""
    base = "/proc/%d/task/" % pid
    try:
        threads = os.listdir(base)
    except OSError:
        return None
    if len(threads) > _MOST_THREADS:
        return None
    receiving = False
    seen = {}
    for thread in threads:
        kind = _waits_for(read_proc(base + thread + "/syscall"), descriptors)
        if kind is None:
            return None
        receiving = receiving or kind == "bridge"
        seen[thread] = _switches(read_proc(base + thread + "/status"))
        if seen[thread] is None:
            return None
    return seen if receiving else None


def _waits_for(text, descriptors):
    fields = text.split()
    if len(fields) < 7:
        return None
    try:
        number, arguments = int(fields[0]), [int(field, 16) for field in fields[1:7]]
    except ValueError:
        return None
    if number in _TABLE["receive"]:
        return "bridge" if arguments[0] in descriptors else None
    position = _TABLE["pointer"].get(number)
    if position is not None:
        return "lock" if arguments[position] == 0 else None
    position = _TABLE["number"].get(number)
    if position is not None:
        return "lock" if arguments[position] in _FULL else None
    return "lock" if number in _TABLE["forever"] else None


def _switches(status):
    start = status.find("\nvoluntary_ctxt_switches:")
    return status[start:] if start >= 0 else None

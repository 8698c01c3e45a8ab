"""What a sandbox's processes take of the machine's memory, also where no process shows it."""

import os

from rlm_kernel import system
from rlm_kernel.limits import MIB

# A socket holds at most this in its buffers; of unix sockets Linux does not tell how much it is.
_UNIX_SOCKET = 416 * 1024
_FREE_SOCKETS = 64
# What one of TCP may hold, sent and received, by Linux's own limits (tcp_wmem, tcp_rmem).
_TCP_SOCKET = 10 * MIB
# A descriptor stands for a file, a pipe or the like of the system's: 8 KiB with its buffer, where there are many.
_DESCRIPTOR = 8 * 1024
_FREE_DESCRIPTORS = 2048
# Of the supervisor itself: Python, and what it takes in during a quiet block.
_FREE_SUPERVISOR = 192 * MIB


def use_more_than(pids, limit, shared):
    """Whether these processes, the supervisor and all that belongs to them hold more bytes than `limit`.

    `shared`: the sandbox's SharedMemory.
    """
    beside = _page_tables(pids) + _descriptors(pids) + socket_buffers(limit // 8) + _supervisor()
    # The exact counts are dear; these are never below them, but for shared memory that has just been freed.
    if system.resident_bytes(pids) + beside + shared.bytes(pids, limit // 8) <= limit:
        return False
    return system.proportional_bytes(pids) + beside + shared.read(pids) > limit


def socket_buffers(spare):
    """Of all sockets of the network namespace, where it is the sandbox's own.

    Those of TCP are looked at where together they could hold more than `spare` bytes: Linux searches the connections of the
    whole machine for them, which takes milliseconds.
    """
    if os.getpid() != 1:
        return 0
    sockets = max(0, system.read_proc("/proc/self/net/unix").count("\n") - 1 - _FREE_SOCKETS)
    total = sockets * _UNIX_SOCKET
    for version in ("", "6"):
        kinds = ["udp"]
        if _tcp_sockets(version) * _TCP_SOCKET > spare:
            kinds.append("tcp")
        total += sum(map(_queued, (kind + version for kind in kinds)))
    return total


def _tcp_sockets(version):
    """Of the network namespace, those that nobody has accepted or that wait for their last bytes included."""
    text = system.read_proc("/proc/self/net/sockstat" + version)
    start = text.find("TCP%s: inuse " % version)
    return int(text[start:].split(None, 3)[2]) if start >= 0 else 0


def _queued(kind):
    total = 0
    for line in system.read_proc("/proc/self/net/" + kind).split("\n")[1:]:
        fields = line.split(None, 5)
        if len(fields) > 4 and ":" in fields[4]:
            sent, received = fields[4].split(":")
            total += int(sent, 16) + int(received, 16)
    return total


class SharedMemory:
    """Anonymous memory that processes share: its pages count for the process that has touched them, also when that process has
    ended, and then no process shows them. So its mappings count with what they could hold, but not with more than
    the machine's shared memory has grown by since there are any. The maps are read when that has changed, for it takes time."""

    def __init__(self):
        self._last = self._read_at = _shared_memory_of_machine()
        self._grown = 0
        self._bytes = 0

    def bytes(self, pids, step):
        """`step`: by how many bytes the machine's shared memory may change before the maps are read again."""
        self._measure()
        if abs(self._last - self._read_at) > step:
            self.read(pids)
        return self._bytes

    def read(self, pids):
        self._measure()
        self._read_at = self._last
        sizes = _mapped(pids)
        if not sizes:
            self._grown = 0
        self._bytes = max(0, min(sum(sizes.values()), self._grown) - _shown(pids)) if sizes else 0
        return self._bytes

    def _measure(self):
        now = _shared_memory_of_machine()
        # What others give back is not what these gave back.
        self._grown += max(0, now - self._last)
        self._last = now


def _shared_memory_of_machine():
    return system.bytes_in("/proc/meminfo", "Shmem")


def _mapped(pids):
    """Size of each area of anonymous memory that processes share, by its inode."""
    sizes = {}
    for pid in pids:
        for line in system.read_proc("/proc/%d/maps" % pid).split("\n"):
            if line.endswith(" /dev/zero (deleted)"):
                span, _, _, _, inode, _ = line.split(None, 5)
                start, end = span.split("-")
                sizes[inode] = max(sizes.get(inode, 0), int(end, 16) - int(start, 16))
    return sizes


def _shown(pids):
    """Bytes of it that count for living processes already: a page that several have touched once."""
    return sum(system.bytes_in("/proc/%d/smaps_rollup" % pid, "Pss_Shmem") for pid in pids)


def _page_tables(pids):
    return sum(system.bytes_in("/proc/%d/status" % pid, "VmPTE") for pid in pids)


def _descriptors(pids):
    count = sum(map(_open_descriptors, pids))
    return max(0, count - _FREE_DESCRIPTORS) * _DESCRIPTOR


def _open_descriptors(pid):
    folder = "/proc/%d/fd" % pid
    try:
        # Their number, from Linux 6.2 on.
        return os.stat(folder).st_size or len(os.listdir(folder))
    except OSError:
        return 0


def _supervisor():
    return max(0, system.resident_bytes(("self",)) - _FREE_SUPERVISOR)

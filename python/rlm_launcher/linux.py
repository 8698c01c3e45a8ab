"""The few Linux calls that Python's standard library does not offer."""

import ctypes
import errno
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)


def _checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")


def unshare(flags):
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source, target, kind=None, flags=0, options=None):
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _checked(_libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]), f"mount {kind or 'bind'} on {target}")


def prctl(option, value):
    _checked(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def lower_priority(steps):
    """Of this process and what it starts, in a session of its own. Linux may also weigh whole sessions (autogroups)."""
    try:
        os.nice(steps)
        with open("/proc/self/autogroup", "w") as file:
            file.write(str(steps))
    except OSError:
        pass  # Not every kernel has them.


def process_start_time(pid):
    """Start time of a process in clock ticks since boot; with the boot id it names a process for good."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return int(stat.read().rsplit(b")", 1)[1].split()[19])

"""What the operating system knows about processes: prctl and /proc. Linux only."""

import os
import sys

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_CHILD_SUBREAPER = 1, 4, 36

PAGE = os.sysconf("SC_PAGE_SIZE")


def available(pipe):
    """Bytes that can be read from a pipe now."""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _prctl(option, value):
    try:
        import ctypes

        return ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0
    except Exception:
        return False


def hide_memory():
    """Closes this process's /proc/<pid>/mem to the code that runs under the same user."""
    return _prctl(_SET_DUMPABLE, 0)


def show_memory():
    """The contrary: a parent may then read what the threads of this process wait for."""
    return _prctl(_SET_DUMPABLE, 1)


def adopt_orphans():
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with_parent():
    return _prctl(_SET_PDEATHSIG, 9)


def thread_count(pid):
    fields = read_proc("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return int(fields[17]) if len(fields) > 17 else 0


def give_way(pid):
    """All threads of a process get the processor only when nobody else wants it. Without privileges that is for good."""
    try:
        threads = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return
    for thread in threads:
        try:
            if os.sched_getscheduler(int(thread)) != os.SCHED_IDLE:
                os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
        except OSError:
            pass  # It has ended.


def lower_priority(steps):
    """Of this process and what it starts, in a session of its own. Linux may also weigh whole sessions (autogroups)."""
    try:
        os.nice(steps)
        with open("/proc/self/autogroup", "w") as file:
            file.write(str(steps))
    except OSError:
        pass


def name(pid):
    """The program's, or the script's that Python runs."""
    words = [word for word in read_proc("/proc/%d/cmdline" % pid).split("\0") if word]
    if not words:
        return read_proc("/proc/%d/comm" % pid).strip() or "?"
    program = os.path.basename(words[0])
    scripts = [os.path.basename(word) for word in words[1:2] if program.startswith("python") and not word.startswith("-")]
    return " ".join([program, *scripts])[:60]


def prefer_for_oom_killer():
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def read_proc(path):
    """The content of a /proc file as text, '' where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        parts = []
        while True:
            part = os.read(descriptor, 65536)
            if not part:
                return b"".join(parts).decode("utf-8", "replace")
            parts.append(part)
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _state_and_parent(pid):
    stat = read_proc("/proc/%d/stat" % pid)
    fields = stat[stat.rfind(")") + 2 :].split(" ", 2)
    if len(fields) < 3:
        return None
    return fields[0], int(fields[1])


def _scan():
    """{pid: (state, parent)} of every process this /proc shows."""
    table = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return table
    for name in names:
        if name.isdigit():
            entry = _state_and_parent(int(name))
            if entry:
                table[int(name)] = entry
    return table


def _children(pid):
    """Direct children by way of the thread that made each; None where the kernel does not tell."""
    found = []
    try:
        threads = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return found
    for thread in threads:
        path = "/proc/%d/task/%s/children" % (pid, thread)
        text = read_proc(path)
        if not text and not os.path.exists(path) and os.path.exists("/proc/%d/task/%s" % (pid, thread)):
            return None
        found += [int(word) for word in text.split()]
    return found


def descendants(root):
    """Living processes below `root`, zombies left out, as a list of (pid, parent), parents first."""
    if root == os.getpid() == 1:
        return [(pid, parent) for pid, (state, parent) in _scan().items() if pid != 1 and state not in "ZX"]
    found, queue = [], [root]
    while queue:
        parent = queue.pop()
        children = _children(parent)
        if children is None:
            return _descendants_by_scan(root)
        for pid in children:
            entry = _state_and_parent(pid)
            if entry and entry[0] not in "ZX":
                found.append((pid, parent))
                queue.append(pid)
    return found


def _descendants_by_scan(root):
    below = {}
    for pid, (state, parent) in _scan().items():
        if state not in "ZX":
            below.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        parent = queue.pop()
        for pid in below.get(parent, ()):
            found.append((pid, parent))
            queue.append(pid)
    return found


def resident_bytes(pids):
    total = 0
    for pid in pids:
        fields = read_proc("/proc/%s/statm" % pid).split()
        if len(fields) > 1:
            total += int(fields[1]) * PAGE
    return total


def proportional_bytes(pids):
    """Like `resident_bytes`, with pages that several processes share divided among them."""
    total = 0
    for pid in pids:
        total += bytes_in("/proc/%d/smaps_rollup" % pid, "Pss") or resident_bytes((pid,))
    return total


def bytes_in(path, name):
    """What a /proc file says in kB on the line `name`, which is not its first; 0 where it does not."""
    text = read_proc(path)
    start = text.find("\n%s:" % name)
    return int(text[start + len(name) + 2 :].split(None, 1)[0]) * 1024 if start >= 0 else 0

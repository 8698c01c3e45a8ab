"""Everything that runs in the sandbox besides the supervisor: the REPL, what the code started, commands of the host."""

import signal
import os
from time import sleep

from rlm_kernel import system

_KILL_ROUNDS = 200


class Processes:
    def __init__(self):
        self.repl = None
        """The ReplProcess; None while there is none."""
        self.commands = {}
        """Those of /v1/process, by pid."""
        self._left = frozenset()
        """What ran on when the last block had ended."""

    def others(self):
        """Living processes of the code besides the REPL: not the host's commands and what they started."""
        parents = dict(system.descendants(os.getpid()))
        repl = self.repl.pid if self.repl is not None else -1
        found = []
        for pid in parents:
            ancestor = pid
            while ancestor in parents and ancestor not in self.commands:
                ancestor = parents[ancestor]
            if ancestor not in self.commands and pid != repl:
                found.append(pid)
        return found

    def leave_behind(self):
        """At the end of a block: names of what runs on, but for Python's own helpers of its process pools."""
        others = self.others()
        self._left = frozenset(others)
        return sorted(system.name(pid) for pid in others if not _is_helper(pid))

    def left_behind(self, others):
        """Those of `others` that blocks before the current one have left."""
        return [pid for pid in others if pid in self._left]

    def kill_others(self):
        _kill(self.others)

    def kill_left_behind(self):
        _kill(lambda: self.left_behind(self.others()))

    def kill_all(self):
        """Returns when they have ended."""
        if os.getpid() == 1:
            try:
                # All at one moment: nobody is left to fork.
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                return
        _kill(lambda: [pid for pid, _ in system.descendants(os.getpid())])


def _is_helper(pid):
    return "from multiprocessing." in system.read_proc("/proc/%d/cmdline" % pid)


def _kill(find):
    """Kills what `find` returns until it returns nothing: what is killed may just have forked, and ends slowly on a busy machine."""
    for attempt in range(_KILL_ROUNDS):
        pids = find()
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        sleep(0.001 if attempt < _KILL_ROUNDS // 2 else 0.02)

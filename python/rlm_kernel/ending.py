"""How a block that does not end by itself is ended, and what its death is called."""

import signal
import os

from rlm_kernel.limits import INTERRUPTS, KILL_AFTER

_NAMES = {
    getattr(signal, name): name
    for name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGSYS")
}


class Ending:
    """SIGINT several times (one alone leaves thread pools and asyncio in their join), then SIGKILL."""

    def __init__(self, loop, repl):
        self._timers = []
        for seconds in INTERRUPTS:
            if seconds == 0:
                repl.interrupt()
            else:
                self._timers.append(loop.after(seconds, repl.interrupt))
        self._timers.append(loop.after(KILL_AFTER, repl.kill))

    def cancel(self):
        for timer in self._timers:
            timer.cancel()


def describe_exit(status):
    if os.WIFEXITED(status):
        return "ended with exit code %d" % os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    name = _NAMES.get(number, "signal %d" % number)
    if number == signal.SIGKILL:
        return "was killed (SIGKILL; perhaps the machine ran out of memory)"
    return "was killed by %s" % name

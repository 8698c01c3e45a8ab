"""Looks after the whole sandbox for as long as it lives, while a block runs and between blocks: memory and processor."""

from rlm_kernel import footprint, system
from rlm_kernel.limits import MEMORY_INTERVAL, MEMORY_INTERVAL_QUIET, MEMORY_INTERVAL_WAITING, MIB, CROWD


class Watchdog:
    """`is_busy()` tells whether code runs now, `is_waiting()` whether it cannot go on by itself. Calls `ended(everything)`
    after it has ended processes for their memory: all of the code's, or those that earlier blocks left behind."""

    def __init__(self, loop, processes, memory_mb, is_busy, is_waiting, ended):
        self._loop = loop
        self._processes = processes
        self._limit = memory_mb * MIB
        self._is_busy = is_busy
        self._is_waiting = is_waiting
        self._ended = ended
        self._shared = footprint.SharedMemory()
        self._timer = None
        self._killed = None
        """The REPL process that was ended for its memory, and may take a moment to go."""
        if memory_mb > 0:
            self.look_soon()

    def look_soon(self):
        """Something began that may need memory."""
        if self._limit > 0 and (self._timer is None or self._timer.due > self._loop.now() + MEMORY_INTERVAL):
            self._schedule(MEMORY_INTERVAL)

    def _schedule(self, seconds):
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.after(seconds, self._look)

    def _look(self):
        self._timer = None
        began = self._loop.now()
        others = self._processes.others()
        repl = [] if self._processes.repl is None else [self._processes.repl.pid]
        own = sum(map(system.thread_count, repl))
        threads = own + sum(map(system.thread_count, others))
        if threads > CROWD:
            # What waits for the supervisor continues before what only computes.
            for pid in others + (repl if own > CROWD else []):
                system.give_way(pid)
        try:
            if footprint.use_more_than(others + repl, self._limit, self._shared):
                self._end(others, repl)
        finally:
            # Of many processes a look takes a while: no more than a fifth of the time goes into it.
            self._schedule(max(self._interval(others, threads), 4 * (self._loop.now() - began)))

    def _end(self, others, repl):
        """First what nobody waits for."""
        end = self._processes.kill_left_behind if self._is_busy() else self._processes.kill_others
        if not self._is_busy() or self._processes.left_behind(others):
            end()
            if not footprint.use_more_than(self._processes.others() + repl, self._limit, self._shared):
                self._ended(False)
                return
        if repl != self._killed:
            self._killed = repl
            self._ended(True)
        if self._processes.repl is not None:
            self._processes.repl.kill()
        self._processes.kill_others()

    def _interval(self, others, threads):
        # One thread that waits for the supervisor takes nothing more.
        if not others and threads <= 1 and not self._is_busy():
            return MEMORY_INTERVAL_QUIET
        if not others and self._is_waiting():
            return MEMORY_INTERVAL_WAITING
        return MEMORY_INTERVAL

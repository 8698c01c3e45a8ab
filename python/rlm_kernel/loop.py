"""A single-threaded loop over descriptors and timers."""

import heapq
import select
from time import monotonic

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
ENDED = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP


_TIDY_AT = 1000


class Timer:
    __slots__ = ("callback", "due")

    def __init__(self, due, callback):
        self.due = due
        self.callback = callback

    def cancel(self):
        self.callback = None

    def __lt__(self, other):
        return self.due < other.due


class Loop:
    def __init__(self):
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._callbacks = {}
        self._timers = []
        self._tidy_at = _TIDY_AT

    @staticmethod
    def now():
        return monotonic()

    def watch(self, descriptor, callback, events=READ):
        """Calls `callback(events)` whenever one of `events` occurs; again with other events to change them."""
        if descriptor in self._callbacks:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._callbacks[descriptor] = callback

    def forget(self, descriptor):
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def after(self, seconds, callback):
        timer = Timer(monotonic() + seconds, callback)
        if len(self._timers) >= self._tidy_at:
            # Most timers are cancelled long before they are due.
            self._timers = [other for other in self._timers if other.callback is not None]
            heapq.heapify(self._timers)
            self._tidy_at = max(_TIDY_AT, 2 * len(self._timers))
        heapq.heappush(self._timers, timer)
        return timer

    def abandon(self):
        """In a forked child: lets go of the descriptor without touching what the parent watches."""
        self._epoll.close()

    def step(self):
        """Waits for the next events or timer and handles them."""
        for descriptor, events in self._wait():
            callback = self._callbacks.get(descriptor)
            if callback is not None:
                callback(events)
        now = monotonic()
        while self._timers and self._timers[0].due <= now:
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                callback()

    def _wait(self):
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        timeout = -1
        if self._timers:
            timeout = max(0.0, self._timers[0].due - monotonic())
        return self._epoll.poll(timeout)

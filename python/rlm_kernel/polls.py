"""Long polls on a block's events."""

from time import monotonic

from rlm_kernel import wire
from rlm_kernel.connection import HttpError
from rlm_kernel.limits import CALL_BATCH_WINDOW_SECONDS

_FIRST_LOOK, _LAST_LOOK = 0.001, 0.1


class Polls:
    """`find_state(block)` tells running, waiting or done.

    A poll is answered when the block is done or waits for answers, when it is over, or when calls it does not know
    are CALL_BATCH_WINDOW_SECONDS seconds old: calls that are made together are returned together.
    """

    def __init__(self, loop, find_state):
        self._loop = loop
        self._find_state = find_state
        self._polls = []
        self._timer = None
        self._pause = _FIRST_LOOK
        self.waiting = False
        """What the last look found."""

    def add(self, connection, block, after, seconds):
        self._polls.append((connection, block, after, monotonic() + seconds))
        self._answer()

    def moved(self):
        """Something happened: look again soon."""
        self.waiting = False
        self._pause = _FIRST_LOOK
        if self._polls and (self._timer is None or self._timer.due > monotonic() + self._pause):
            self._schedule(0.0)

    def _schedule(self, seconds):
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.after(seconds, self._answer)

    def _answer(self):
        self._timer = None
        now = monotonic()
        states = {}
        left = []
        next_time = None
        polls, self._polls = self._polls, []
        for poll in polls:
            connection, block, after, deadline = poll
            if not connection.open:
                continue
            if block not in states:
                states[block] = self._find_state(block)
                self.waiting = states[block] == "waiting"
            events = block.events_after(after)
            ready_at = min(deadline, block.newest_event + CALL_BATCH_WINDOW_SECONDS) if events else deadline
            if states[block] != "running" or now >= ready_at:
                self._reply(connection, block, events, after, states[block])
                continue
            left.append(poll)
            next_time = ready_at if next_time is None else min(next_time, ready_at)
            if block.lines():
                next_time = min(next_time, now + self._pause)
        self._polls += left
        if next_time is not None:
            self._pause = min(_LAST_LOOK, self._pause * 2)
            self._schedule(max(0.0, next_time - now))

    def _reply(self, connection, block, events, after, state):
        cursor = after + len(events) if events else min(after, len(block.events))
        if state == "done" and cursor < len(block.events):
            state = "running"
        try:
            rest = wire.encode({"cursor": cursor, "state": state, "pending": block.pending})
            connection.reply(200, b'{"events":[' + b",".join(events) + b"]," + rest[1:])
        except MemoryError:
            connection.refuse(HttpError(503, "memory", "not enough memory for these events"))

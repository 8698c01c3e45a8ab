"""One block as the supervisor sees it: its calls, its events, its clock, its captured output."""

from time import monotonic

from rlm_kernel import bounds, wire
from rlm_kernel.capture import Capture, shorten
from rlm_kernel.limits import CALL_SIZE, CALLS, CALLS_SIZE, EVENTS_SIZE, PENDING_CALLS, PENDING_SIZE
from rlm_kernel.values import check

ENDED = "Error: the block has ended"


class Call:
    __slots__ = ("answered", "items", "line", "name", "size")

    def __init__(self, name, line, items, size):
        self.name = name
        self.line = line
        """The connection its caller waits on; None when the caller has gone."""
        self.items = items
        """How many answers its caller wants in a list; None for one that is not."""
        self.size = size
        self.answered = False


class Block:
    def __init__(self, number, head, code, timeout, output_limit):
        self.number = number
        self.head = head
        self.code = code
        self.timeout = timeout
        self.output_limit = output_limit
        self.streams = {"stdout": Capture(output_limit), "stderr": Capture(output_limit)}
        self.events = []
        """As JSON, in the order of their cursors, which count from 1: what code handed over takes a multiple as objects."""
        self.newest_event = 0.0
        self.final = None
        self.finished = None
        """What the REPL reported when the main thread ended."""
        self.ending = None
        """Why it is being ended from outside: (status, sentence)."""
        self.result = None
        self._calls = {}
        self._open = {}
        """Those of the calls that are unanswered."""
        self._pending_size = 0
        self._made = 0
        self._made_size = 0
        self._computed = 0.0
        self._computes_since = monotonic()

    # Calls

    @property
    def pending(self):
        """Names of the unanswered calls, in the order they were made."""
        return list(self._open)

    def lines(self):
        return [call.line for call in self._open.values()]

    def refusal(self, arguments, size):
        """Why a call made now gets no answer from the host, or None."""
        if self.result is not None or self.finished is not None:
            return ENDED
        if self.ending is not None:
            return "Error: the block is being ended: " + self.ending[1]
        if size > CALL_SIZE:
            return "Error: the arguments are larger than %d bytes" % CALL_SIZE
        if len(self._open) >= PENDING_CALLS or self._pending_size + size > PENDING_SIZE:
            return "Error: too many calls are waiting for an answer; make them in smaller groups"
        if self._made >= CALLS or self._made_size + size > CALLS_SIZE:
            return "Error: too many calls in one block; go on in the next one"
        return None

    def call(self, function, arguments, line):
        """ValueError where the arguments cannot travel."""
        check(arguments)
        canonical = wire.encode({"arguments": arguments, "function": function}, True)
        self._made += 1
        name = "%d.%d" % (self.number, self._made)
        call = Call(name, line, bounds.batch_size(function, arguments), len(canonical))
        self._calls[name] = self._open[name] = call
        self._pending_size += call.size
        self._made_size += call.size
        self._stop_clock()
        self._add_event(
            {
                "type": "call",
                "cursor": len(self.events) + 1,
                "call": name,
                "function": function,
                "arguments": arguments,
                "hash": wire.sha256(canonical),
            }
        )
        return call

    def knows(self, name):
        return name in self._calls

    def answer(self, name, value, reports=None):
        """The first answer counts. Delivered to the caller where one still waits."""
        call = self._calls[name]
        if call.answered:
            return
        line = call.line
        self._settle(call)
        if line is not None:
            line.send({"value": value, "reports": reports} if reports else {"value": value})

    def give_up(self, message):
        """Answers all that is pending with an error."""
        for call in list(self._open.values()):
            self.answer(call.name, bounds.failure(call.items, message))

    def caller_gone(self, call):
        if not call.answered:
            self._settle(call)

    def _settle(self, call):
        call.answered = True
        call.line = None
        del self._open[call.name]
        self._pending_size -= call.size
        if not self._open:
            self._start_clock()

    # Clock

    def _stop_clock(self):
        if self._computes_since is not None:
            self._computed += monotonic() - self._computes_since
            self._computes_since = None

    def _start_clock(self):
        if self._computes_since is None and self.result is None and self.finished is None:
            self._computes_since = monotonic()

    @property
    def computing(self):
        return self._computes_since is not None

    @property
    def computed(self):
        """Seconds in which no call was unanswered."""
        running = 0.0 if self._computes_since is None else monotonic() - self._computes_since
        return self._computed + running

    # Events and end

    def _add_event(self, event):
        self.events.append(wire.encode(event))
        self.newest_event = monotonic()

    def events_after(self, cursor):
        """Events with a greater cursor, as many as a reply may hold."""
        found, size = [], 0
        for event in self.events[cursor:]:
            if found and size + len(event) > EVENTS_SIZE:
                break
            size += len(event)
            found.append(event)
        return found

    def main_ended(self, report):
        self._stop_clock()
        self.finished = report

    def end(self, status, error):
        self._stop_clock()
        for stream in self.streams.values():
            stream.finish()
        stdout, stderr = self.streams["stdout"], self.streams["stderr"]
        self.result = {
            "status": status,
            "stdout": stdout.text(),
            "stderr": stderr.text(),
            "stdout_length": stdout.length,
            "stderr_length": stderr.length,
            "error": None if error is None else shorten(error, max(self.output_limit, 1000)),
            "final": self.final,
            "execution_time": round(self.computed, 6),
        }
        self._add_event({"type": "done", "cursor": len(self.events) + 1, "result": self.result})

"""The supervisor: owns the block that runs, and starts the REPL process again when it dies."""

import os
import sys

from rlm_kernel import PROTOCOL, bounds, limits, wire
from rlm_kernel.block import ENDED
from rlm_kernel.connection import HttpError
from rlm_kernel.ending import Ending, describe_exit
from rlm_kernel.loading import Loading
from rlm_kernel.polls import Polls
from rlm_kernel.processes import Processes
from rlm_kernel.repl_process import ReplProcess, Stream
from rlm_kernel.values import check, clean
from rlm_kernel.watchdog import Watchdog

_PYTHON = "%d.%d.%d" % sys.version_info[:3]
_RESTARTED = "its variables, functions and imports are lost"


class Supervisor:
    def __init__(self, loop, generation, memory_mb):
        self._loop = loop
        self.generation = generation
        self._memory_mb = memory_mb
        self.processes = Processes()
        self.polls = Polls(loop, self._state)
        self._setup = None
        """(canonical JSON, frame for the REPL) of the setup that holds."""
        self._functions = ()
        """Names of the functions the host answers."""
        self._setup_waits = None
        """Who is to be told when the first setup has been taken in."""
        self._loading = Loading((), self._repl)
        self._block = None
        self._restarts = 0
        self._notice = None
        """What the next block is told about the time before it."""
        self._clock_timer = None
        self._ending = None
        self._streams = [Stream(loop, self._feeder("stdout")), Stream(loop, self._feeder("stderr"))]
        self._start_repl()
        self._watchdog = Watchdog(
            loop,
            self.processes,
            memory_mb,
            is_busy=lambda: self._running or self._loading.busy,
            is_waiting=lambda: self.polls.waiting,
            ended=self._memory_is_up,
        )

    def info(self):
        status = "new" if self._setup is None else "idle"
        missing = self._loading.missing
        return {
            **({"missing": missing} if missing else {}),
            "protocol": PROTOCOL,
            "python": _PYTHON,
            "generation": self.generation,
            "block": self._number,
            "head": self._block.head if self._block else "",
            "status": "running" if self._running else status,
            "restarts": self._restarts,
        }

    @property
    def _number(self):
        return self._block.number if self._block is not None else 0

    @property
    def _running(self):
        return self._block is not None and self._block.result is None

    # What the host asks

    def set_up(self, body, done):
        """Calls `done(error)`, None where all went well, when the REPL has taken the setup in."""
        canonical = wire.encode(body, True)
        if self._setup is None:
            self._repl()
            self._setup = (canonical, wire.frame({**body, "type": "setup"}))
            self._loading = Loading(body.get("inputs", ()), self._repl)
            self._functions = [function["name"] for function in body["functions"]]
            self._setup_waits = []
            self._send_setup()
        elif self._setup[0] != canonical:
            raise HttpError(409, "diverged", "this sandbox was set up in another way")
        if self._setup_waits is None:
            done(None)
        else:
            self._setup_waits.append(done)

    def load(self, piece, done):
        """A piece of an input: (index, offset, data, last). Calls `done(answer)`; an answer may be an HttpError."""
        if self._setup is None or self._setup_waits is not None:
            raise HttpError(409, "diverged", "this sandbox was not set up yet")
        if self._running:
            raise HttpError(409, "diverged", "inputs are loaded between blocks, and block %d runs" % self._number)
        self._loading.piece(*piece, done)
        self._watchdog.look_soon()

    def begin(self, block):
        """Starts the block, or finds that it has been started already."""
        number, current = block.number, self._number
        if number == current:
            if block.head != self._block.head:
                raise HttpError(409, "diverged", "block %d is named %s here" % (number, self._block.head))
        elif number < current:
            raise HttpError(409, "stale", "block %d is over; the current one is %d" % (number, current))
        elif number > current + 1:
            raise HttpError(409, "diverged", "block %d cannot follow block %d" % (number, current))
        elif self._setup is None or self._setup_waits is not None:
            raise HttpError(409, "diverged", "this sandbox was not set up yet")
        elif self._running:
            raise HttpError(409, "diverged", "block %d still runs" % current)
        elif self._loading.missing:
            raise HttpError(409, "diverged", "inputs are not loaded: " + ", ".join(self._loading.missing))
        else:
            self._begin(block)

    def current_block(self, number):
        if number < self._number:
            raise HttpError(409, "stale", "block %d is over; the current one is %d" % (number, self._number))
        if number > self._number or number == 0:
            raise HttpError(409, "diverged", "block %d has not begun; the current one is %d" % (number, self._number))
        return self._block

    def answer(self, block, answers):
        for name, value, reports in answers:
            block.answer(name, value, reports)
        self._calls_changed()

    def interrupt(self, block, status, sentence):
        """Asks the block to end, with growing emphasis."""
        if block.result is not None or block.ending is not None:
            return
        block.ending = (status, sentence)
        self._ending = Ending(self._loop, self.processes.repl)
        block.give_up("Error: the block is being ended: " + sentence)
        self._calls_changed()

    # The block

    def _begin(self, block):
        self._repl()
        frame = wire.frame(
            {"type": "exec", "block": block.number, "code": block.code, "limit": limits.ERROR_TEXT}
        )
        self._block = block
        for stream in self._streams:
            stream.start()
        if self._notice is not None:
            block.streams["stderr"].feed(self._notice.encode())
            self._notice = None
        self.processes.repl.send_frame(frame)
        self._set_clock()
        self._watchdog.look_soon()

    def _feeder(self, name):
        def feed(data):
            if self._running:
                self._block.streams[name].feed(data)
                self.polls.waiting = False

        return feed

    def _state(self, block):
        """running, waiting or done."""
        if block.result is not None:
            return "done"
        lines, repl = block.lines(), self.processes.repl
        if not lines or repl is None:
            return "running"
        if block.finished is not None:
            return "waiting"
        return "waiting" if repl.waits_on(lines) and not self.processes.others() else "running"

    def _calls_changed(self):
        """After a call was made or answered, or the main thread ended."""
        self._set_clock()
        self._end_if_over()
        self.polls.moved()

    def _set_clock(self):
        if self._clock_timer is not None:
            self._clock_timer.cancel()
            self._clock_timer = None
        block = self._block
        if self._running and block.computing and block.ending is None:
            self._clock_timer = self._loop.after(max(0.0, block.timeout - block.computed), self._time_is_up)

    def _time_is_up(self):
        if self._running and self._block.computing:
            sentence = "The block was ended at its time limit of %g s." % self._block.timeout
            self.interrupt(self._block, "timeout", sentence)

    def _memory_is_up(self, everything):
        """The watchdog ends the code's processes: all, or those that blocks have left behind."""
        sentence = "The processes of the sandbox used more than %d MiB of memory and were ended." % self._memory_mb
        if not everything:
            notice = "[Processes that earlier blocks left behind used more than %d MiB of memory and were ended.]\n"
            self._tell(notice % self._memory_mb)
        elif self._running:
            self._block.ending = ("memory", sentence)
        else:
            self._tell("[%s]\n" % sentence)

    def _tell(self, notice):
        """To the block that runs, else to the next one."""
        if self._running:
            self._block.streams["stderr"].feed(notice.encode())
        else:
            self._notice = (self._notice or "") + notice

    def _end_if_over(self):
        """A block is over when its main thread has ended and its calls are answered."""
        block = self._block
        if not self._running or block.finished is None or block.lines():
            return
        status, error = block.finished["status"], block.finished["error"]
        if block.ending is not None:
            status, sentence = block.ending
            error = sentence if error is None else sentence + "\n" + error
        self._end(status, error)

    def _end(self, status, error):
        for stream in self._streams:
            stream.stop()
        left = self.processes.leave_behind() if self.processes.repl is not None else ()
        if left:
            self._block.streams["stderr"].feed(_left_behind(left).encode())
        self._block.end(status, error)
        for timer in (self._clock_timer, self._ending):
            if timer is not None:
                timer.cancel()
        self._clock_timer = self._ending = None
        self.polls.moved()

    # What the REPL says

    def repl_message(self, message):
        kind, error = message.get("type"), message.get("error")
        error = clean(error) if isinstance(error, str) else None
        if kind == "setup":
            self._setup_done(error)
        elif kind == "taken":
            self._loading.taken()
        elif kind == "loaded":
            self._loading.loaded(error)
        elif kind == "finished" and self._running and message.get("block") == self._number:
            block = self._block
            if block.finished is None:
                # Calls made before the end of the main thread still count.
                self.processes.repl.drain_calls()
                block.main_ended({"status": "error" if message.get("status") == "error" else "ok", "error": error})
                if block.ending is not None:
                    block.give_up(ENDED)
                self._calls_changed()

    def _setup_done(self, error):
        """The REPL has taken the setup in, or refused it. When it was restarted nobody waits for that."""
        if self._setup_waits is None:
            return
        waits, self._setup_waits = self._setup_waits, None
        if error is not None:
            self._setup = None
        for done in waits:
            done(error)

    def repl_call(self, line, message):
        """A call or a FINAL. ValueError where it makes no sense."""
        if message.get("type") == "final":
            line.send({"sealed": self._seal(message.get("value"))})
            return
        function, arguments = message.get("function"), message.get("arguments")
        if function not in self._functions or not isinstance(arguments, dict):
            raise ValueError("no such function")
        refusal = ENDED if self._block is None else bounds.excess_of_call(function, arguments)
        if refusal is None:
            refusal = self._block.refusal(arguments, bounds.size(arguments))
        if refusal is not None:
            line.send({"value": bounds.failure(bounds.batch_size(function, arguments), refusal)})
            return
        line.call = self._block.call(function, arguments, line)
        self._calls_changed()

    def _seal(self, value):
        """The first FINAL of a block counts."""
        if not self._running or self._block.finished is not None:
            return False
        if self._block.final is None:
            check(value)
            excess = bounds.excess_of_values(value)
            if excess is not None:
                raise ValueError(excess)
            self._block.final = {"value": value}
        return True

    def repl_caller_gone(self, line):
        if line.call is not None and self._block is not None:
            self._block.caller_gone(line.call)
            line.call = None
            self._calls_changed()

    # Processes

    def _repl(self):
        """The REPL process; a new one where it has died."""
        if self.processes.repl is None:
            self._start_repl()
        return self.processes.repl

    def _start_repl(self):
        self.processes.repl = ReplProcess(self._loop, self._streams, self)
        self._send_setup()

    def _send_setup(self):
        if self._setup is not None:
            self.processes.repl.send_frame(self._setup[1])

    def children_changed(self):
        """Reaps whatever has ended: the REPL, commands, orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.processes.repl is not None and pid == self.processes.repl.pid:
                self._repl_died(status)
            elif pid in self.processes.commands:
                self.processes.commands.pop(pid).exited(status)

    def _repl_died(self, status):
        repl = self.processes.repl
        repl.drain()
        self.processes.repl = None
        self.processes.kill_others()
        repl.close()
        self._restarts += 1
        what = describe_exit(status)
        self._setup_done("the REPL process %s while it was set up" % what)
        was_loading = self._loading.busy
        self._loading.lost("the inputs need more memory than the sandbox has: the Python process %s" % what)
        if not self._running:
            if not was_loading:
                self._tell("[The Python process %s after the last block: %s.]\n" % (what, _RESTARTED))
            for stream in self._streams:
                stream.stop()
            return
        kind, sentence = self._block.ending or ("crashed", "The Python process %s." % what)
        self._block.give_up(ENDED)
        self._end(kind, "%s A new one was started: %s." % (sentence, _RESTARTED))
        self._start_repl()


def _left_behind(names):
    """Told to the model: they take memory and processor from what it does next."""
    more = len(names) - limits.LEFT_NAMES
    shown = ", ".join(names[: limits.LEFT_NAMES]) + (", and %d more" % more if more > 0 else "")
    processes = "process runs" if len(names) == 1 else "processes run"
    return "[%d %s on after this block: %s.]\n" % (len(names), processes, shown)

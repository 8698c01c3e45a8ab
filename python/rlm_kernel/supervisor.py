"""The supervisor: answers HTTP requests, owns the blocks, starts the REPL process again when it dies."""

import _signal
import os
import sys
from time import monotonic, sleep

from rlm_kernel import PROTOCOL, limits, requests, system, wire
from rlm_kernel.block import ENDED, Block, failure
from rlm_kernel.command import Command, CommandRequest
from rlm_kernel.connection import Connection, HttpError
from rlm_kernel.ending import Ending, describe_exit
from rlm_kernel.polls import Polls
from rlm_kernel.repl_process import ReplProcess, Stream
from rlm_kernel.values import check, clean

_PYTHON = "%d.%d.%d" % sys.version_info[:3]
_KILL_ROUNDS = 200
_RESTARTED = "its variables, functions and imports are lost; files are kept"


class Shutdown(BaseException):
    """Ends the loop."""


class Supervisor:
    def __init__(self, loop, listener, generation, idle_timeout, memory_mb):
        self.loop = loop
        self._listener = listener
        self._generation = generation
        self._idle_timeout = idle_timeout
        self._memory = memory_mb * limits.MIB
        self._connections = {}
        """Open connections with the time of their last request, the least recent first."""
        self._commands = {}
        self._last_request = monotonic()
        self._setup = None
        """(digest, frame for the REPL) of the setup that holds."""
        self._functions = ()
        """Names of the functions the host answers."""
        self._setup_waits = None
        """Connections that wait for the first setup to be taken in."""
        self._block = None
        self._restarts = 0
        self._notice = None
        self._memory_timer = None
        self._clock_timer = None
        self._ending = None
        self._polls = Polls(loop, self._state)
        self._streams = [Stream(loop, self._feeder("stdout")), Stream(loop, self._feeder("stderr"))]
        self._repl = None
        self._start_repl()
        loop.watch(listener.fileno(), self._accept)
        loop.after(idle_timeout, self._check_idle)

    # Connections

    def _accept(self, events):
        for _ in range(16):
            try:
                descriptor = self._listener._accept()[0]
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError:
                # Out of descriptors, say: an idle connection makes room.
                if not self._close_an_idle_connection():
                    return
                continue
            os.set_blocking(descriptor, False)
            if len(self._connections) >= limits.CONNECTIONS and not self._close_an_idle_connection():
                os.close(descriptor)
                continue
            connection = Connection(self.loop, descriptor, self._handle, self._forget)
            self._connections[connection] = None

    def _close_an_idle_connection(self):
        for connection in self._connections:
            if not connection.busy:
                connection.close()
                return True
        return False

    def _forget(self, connection):
        self._connections.pop(connection, None)

    def _handle(self, connection, request):
        self._last_request = monotonic()
        self._connections.pop(connection)
        self._connections[connection] = None
        try:
            route = _ROUTES.get(request.path)
            if route is None:
                raise HttpError(404, "unknown", "there is nothing at this path")
            method, handler = route
            if request.method != method:
                raise HttpError(405, "method", "use %s here" % method)
            handler(self, connection, request)
        except HttpError as error:
            connection.refuse(error)
        except MemoryError:
            connection.refuse(HttpError(503, "memory", "not enough memory for this request"))
        except Exception as error:
            connection.refuse(HttpError(500, "internal", "the kernel failed: %r" % error))

    def _check_idle(self):
        busy = any(connection.busy for connection in self._connections)
        if busy:
            self._last_request = monotonic()
        left = self._last_request + self._idle_timeout - monotonic()
        if left <= 0:
            raise Shutdown
        self.loop.after(left, self._check_idle)

    # Requests

    def _get_info(self, connection, request):
        connection.reply(200, self._info())

    def _info(self):
        status = "new" if self._setup is None else "idle"
        if self._block is not None and self._block.result is None:
            status = "running"
        return {
            "protocol": PROTOCOL,
            "python": _PYTHON,
            "generation": self._generation,
            "block": self._block.number if self._block else 0,
            "head": self._block.head if self._block else "",
            "status": status,
            "restarts": self._restarts,
        }

    def _check_generation(self, body):
        generation = requests.whole(body, "generation")
        if generation != self._generation:
            raise HttpError(
                409, "generation", "this sandbox has generation %d, not %d" % (self._generation, generation)
            )

    def _check_current(self, number):
        current = self._block.number if self._block else 0
        if number < current:
            raise HttpError(409, "stale", "block %d is over; the current one is %d" % (number, current))
        if number > current or number == 0:
            raise HttpError(409, "diverged", "block %d has not begun; the current one is %d" % (number, current))

    def _post_setup(self, connection, request):
        body = request.json()
        self._check_generation(body)
        requests.check_setup(body)
        digest = wire.sha256(wire.encode(body, True))
        if self._setup is None:
            if self._repl is None:
                self._start_repl()
            body["type"] = "setup"
            self._setup = (digest, wire.frame(body))
            self._functions = [function["name"] for function in body["functions"]]
            self._setup_waits = []
            self._send_setup()
        elif self._setup[0] != digest:
            raise HttpError(409, "diverged", "this sandbox was set up in another way")
        if self._setup_waits is None:
            connection.reply(200, self._info())
        else:
            self._setup_waits.append(connection)

    def _send_setup(self):
        if self._repl is not None and self._setup is not None:
            self._repl.send_frame(self._setup[1])

    def _setup_done(self, error):
        """The REPL has taken the setup in, or refused it. When it was restarted nobody waits for that."""
        if self._setup_waits is None:
            return
        waits, self._setup_waits = self._setup_waits, None
        if error is not None:
            self._setup = None
        for connection in waits:
            if error is None:
                connection.reply(200, self._info())
            else:
                connection.refuse(HttpError(400, "setup", error))

    def _post_exec(self, connection, request):
        body = request.json()
        self._check_generation(body)
        number, head, code, timeout, output_limit = requests.check_exec(body)
        current = self._block.number if self._block else 0
        if number == current:
            if head != self._block.head:
                raise HttpError(409, "diverged", "block %d is named %s here" % (number, self._block.head))
        elif number < current:
            raise HttpError(409, "stale", "block %d is over; the current one is %d" % (number, current))
        elif number > current + 1:
            raise HttpError(409, "diverged", "block %d cannot follow block %d" % (number, current))
        elif self._setup is None or self._setup_waits is not None:
            raise HttpError(409, "diverged", "this sandbox was not set up yet")
        elif self._block is not None and self._block.result is None:
            raise HttpError(409, "diverged", "block %d still runs" % current)
        else:
            self._begin(Block(number, head, code, timeout, output_limit))
        connection.reply(200, self._info())

    def _get_events(self, connection, request):
        self._check_current(request.number("block", 1 << 53))
        after = request.number("after", 1 << 53, "0")
        self._polls.add(connection, self._block, after, request.number("wait_ms", limits.WAIT_MS, "0") / 1000)

    def _get_output(self, connection, request):
        self._check_current(request.number("block", 1 << 53))
        stream = self._block.streams.get(request.query.get("stream", "stdout"))
        if stream is None:
            raise HttpError(400, "malformed", "stream must be stdout or stderr")
        start = request.number("offset", 1 << 53, "0")
        connection.reply(200, bytes(stream.full[start:]), "application/octet-stream")

    def _post_answers(self, connection, request):
        body = request.json()
        self._check_generation(body)
        self._check_current(requests.whole(body, "block"))
        answers = requests.check_answers(body)
        for name, _ in answers:
            if not self._block.knows(name):
                raise HttpError(409, "diverged", "block %d made no call %s" % (self._block.number, name[:100]))
        for name, value in answers:
            self._block.answer(name, value)
        self._calls_changed()
        connection.reply(200, {})

    def _post_interrupt(self, connection, request):
        body = request.json()
        self._check_generation(body)
        self._check_current(requests.whole(body, "block"))
        if self._block.result is None:
            self._interrupt("interrupted", "The block was interrupted.")
        connection.reply(200, {})

    def _post_process(self, connection, request):
        command_request = CommandRequest(request.json())
        if len(self._commands) >= limits.PROCESSES:
            raise HttpError(503, "busy", "%d commands are running already" % limits.PROCESSES)
        try:
            command = Command(self.loop, command_request, lambda command: _reply_with(connection, command))
        except OSError as error:
            raise HttpError(503, "process", "cannot start a process: %s" % error) from None
        self._commands[command.pid] = command
        connection.on_hang_up = command.abort

    def _post_renew(self, connection, request):
        connection.reply(200, {})

    def _post_shutdown(self, connection, request):
        connection.reply(200, {})
        raise Shutdown

    # The block

    def _begin(self, block):
        if self._repl is None:
            self._start_repl()
        self._block = block
        for stream in self._streams:
            stream.start()
        if self._notice is not None:
            block.streams["stderr"].feed(self._notice.encode())
            self._notice = None
        self._repl.send_frame(
            wire.frame({"type": "exec", "block": block.number, "code": block.code, "limit": limits.ERROR_TEXT})
        )
        self._set_clock()
        self._watch_memory()

    @property
    def _running(self):
        return self._block is not None and self._block.result is None

    def _feeder(self, name):
        def feed(data):
            if self._running:
                self._block.streams[name].feed(data)
                self._polls.waiting = False

        return feed

    def _state(self, block):
        """running, waiting or done."""
        if block.result is not None:
            return "done"
        if self._repl is None or not block.lines():
            return "running"
        if block.finished is not None:
            return "waiting"
        return "waiting" if self._nothing_goes_on(block) else "running"

    def _nothing_goes_on(self, block):
        return self._repl.waits_on(block.lines()) and self._other_processes() == []

    def _calls_changed(self):
        """After a call was made or answered."""
        self._set_clock()
        self._end_if_over()
        self._polls.moved()

    def _set_clock(self):
        if self._clock_timer is not None:
            self._clock_timer.cancel()
            self._clock_timer = None
        block = self._block
        if self._running and block.computing and block.ending is None:
            self._clock_timer = self.loop.after(max(0.0, block.timeout - block.computed), self._time_is_up)

    def _time_is_up(self):
        if self._running and self._block.computing:
            self._interrupt("timeout", "The block was ended at its time limit of %g s." % self._block.timeout)

    def _interrupt(self, status, sentence):
        """Asks the block to end, with growing emphasis."""
        block = self._block
        if block.ending is not None:
            return
        block.ending = (status, sentence)
        self._ending = Ending(self.loop, self._repl)
        block.give_up("Error: the block is being ended: " + sentence)
        self._calls_changed()

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
        self._block.end(status, error)
        for timer in (self._memory_timer, self._clock_timer, self._ending):
            if timer is not None:
                timer.cancel()
        self._memory_timer = self._clock_timer = self._ending = None
        self._polls.moved()

    # Memory

    def _watch_memory(self):
        interval = limits.MEMORY_INTERVAL_WAITING if self._polls.waiting else limits.MEMORY_INTERVAL
        self._memory_timer = self.loop.after(interval, self._check_memory)

    def _check_memory(self):
        pids = self._other_processes()
        if self._repl is not None:
            pids.append(self._repl.pid)
        if self._memory and system.resident_bytes(pids) > self._memory:
            if system.proportional_bytes(pids) > self._memory:
                sentence = "The processes of the sandbox used more than %d MiB of memory and were ended" % (
                    self._memory // limits.MIB
                )
                self._block.ending = ("memory", sentence + ".")
                self._repl.kill()
                self._kill_others()
                return
        self._watch_memory()

    def _other_processes(self):
        """Living processes of the code besides the REPL: not those of /v1/process and what they started."""
        parents = dict(system.descendants(os.getpid()))
        found = []
        for pid in parents:
            ancestor = pid
            while ancestor in parents and ancestor not in self._commands:
                ancestor = parents[ancestor]
            if ancestor not in self._commands and pid != self._repl_pid:
                found.append(pid)
        return found

    @property
    def _repl_pid(self):
        return self._repl.pid if self._repl is not None else -1

    def _kill_others(self):
        _kill(self._other_processes)

    # What the REPL says

    def repl_message(self, message):
        kind = message.get("type")
        if kind == "setup":
            error = message.get("error")
            self._setup_done(error if isinstance(error, str) else None)
        elif kind == "finished" and self._running and message.get("block") == self._block.number:
            if self._block.finished is None:
                # Calls made before the end of the main thread still count.
                self._repl.drain_calls()
                error = message.get("error")
                status = "error" if message.get("status") == "error" else "ok"
                self._block.main_ended({"status": status, "error": clean(error) if isinstance(error, str) else None})
                if self._block.ending is not None:
                    self._block.give_up(ENDED)
                self._calls_changed()

    def repl_call(self, line, message):
        if message.get("type") == "final":
            line.send({"sealed": self._seal(message.get("value"))})
            return
        function, arguments = message.get("function"), message.get("arguments")
        if function not in self._functions or not isinstance(arguments, dict):
            raise ValueError("no such function")
        size = sum(len(value) if isinstance(value, (str, list)) else 1 for value in arguments.values())
        refusal = ENDED if self._block is None else self._block.refusal(arguments, size)
        if refusal is not None:
            line.send({"value": failure(arguments, refusal)})
            return
        line.call = self._block.call(function, arguments, line)
        self._calls_changed()

    def _seal(self, value):
        """The first FINAL of a block counts."""
        if not self._running or self._block.finished is not None:
            return False
        if self._block.final is None:
            check(value)
            self._block.final = {"value": value}
        return True

    def repl_caller_gone(self, line):
        if line.call is not None and self._block is not None:
            self._block.caller_gone(line.call)
            line.call = None
            self._calls_changed()

    # The REPL process

    def _start_repl(self):
        self._repl = ReplProcess(self.loop, self._streams, self)
        self._send_setup()

    def children_changed(self):
        """Reaps whatever has ended: the REPL, commands, orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._repl is not None and pid == self._repl.pid:
                self._repl_died(status)
            elif pid in self._commands:
                self._commands.pop(pid).exited(status)

    def _repl_died(self, status):
        repl = self._repl
        repl.drain()
        self._repl = None
        self._kill_others()
        repl.close()
        self._restarts += 1
        what = describe_exit(status)
        if self._setup_waits is not None:
            self._setup_done("the REPL process %s while it was set up" % what)
        if not self._running:
            self._notice = "[The Python process %s after the last block: %s.]\n" % (what, _RESTARTED)
            for stream in self._streams:
                stream.stop()
        else:
            block = self._block
            kind, sentence = block.ending or ("crashed", "The Python process %s." % what)
            block.give_up(ENDED)
            self._end(kind, "%s A new one was started: %s." % (sentence, _RESTARTED))
            self._start_repl()

    def kill_all(self):
        """Ends every process of the sandbox but this one."""
        if os.getpid() == 1:
            try:
                os.kill(-1, _signal.SIGKILL)
            except ProcessLookupError:
                pass
            return
        _kill(lambda: [pid for pid, _ in system.descendants(os.getpid())])


def _reply_with(connection, command):
    try:
        connection.reply(200, command.result())
    except MemoryError:
        connection.refuse(HttpError(503, "memory", "not enough memory for the output of this command"))


def _kill(find):
    """Kills what `find` returns until it returns nothing: what is killed may just have forked."""
    for _ in range(_KILL_ROUNDS):
        pids = find()
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, _signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        sleep(0.001)


_ROUTES = {
    "/v1/info": ("GET", Supervisor._get_info),
    "/v1/setup": ("POST", Supervisor._post_setup),
    "/v1/exec": ("POST", Supervisor._post_exec),
    "/v1/events": ("GET", Supervisor._get_events),
    "/v1/output": ("GET", Supervisor._get_output),
    "/v1/answers": ("POST", Supervisor._post_answers),
    "/v1/interrupt": ("POST", Supervisor._post_interrupt),
    "/v1/process": ("POST", Supervisor._post_process),
    "/v1/renew": ("POST", Supervisor._post_renew),
    "/v1/shutdown": ("POST", Supervisor._post_shutdown),
}

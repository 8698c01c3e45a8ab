"""HTTP: connections, paths, and what each request asks of the supervisor."""

import os
from time import monotonic

from rlm_kernel import limits, requests
from rlm_kernel.block import Block
from rlm_kernel.command import Command, CommandRequest
from rlm_kernel.connection import Connection, HttpError


class Shutdown(BaseException):
    """Ends the loop."""


class Server:
    def __init__(self, loop, listener, supervisor, idle_timeout):
        self._loop = loop
        self._listener = listener
        self._supervisor = supervisor
        self._idle_timeout = idle_timeout
        self._connections = {}
        """Open connections as keys, the longest unused one first."""
        self._last_request = monotonic()
        loop.watch(listener.fileno(), self._accept)
        loop.after(idle_timeout, self._check_idle)

    # Connections

    def _accept(self, events):
        for _ in range(16):
            try:
                descriptor = self._listener.accept()[0].detach()
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
            self._connections[Connection(self._loop, descriptor, self._handle, self._forget)] = None

    def _close_an_idle_connection(self):
        for connection in self._connections:
            if not connection.busy:
                connection.close()
                return True
        return False

    def _forget(self, connection):
        self._connections.pop(connection, None)

    def _check_idle(self):
        if any(connection.busy for connection in self._connections):
            self._last_request = monotonic()
        left = self._last_request + self._idle_timeout - monotonic()
        if left <= 0:
            raise Shutdown
        self._loop.after(left, self._check_idle)

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

    # Requests

    def _get_info(self, connection, request):
        connection.reply(200, self._supervisor.info())

    def _post_setup(self, connection, request):
        body = self._of_this_generation(request)
        requests.check_setup(body)

        def done(error):
            if error is None:
                connection.reply(200, self._supervisor.info())
            else:
                connection.refuse(HttpError(400, "setup", error))

        self._supervisor.set_up(body, done)

    def _post_input(self, connection, request):
        self._check_generation(request.number("generation", 1 << 53))
        piece = (request.number("input", 1 << 53), request.number("offset", 1 << 53), request.body)

        def done(answer):
            if isinstance(answer, HttpError):
                connection.refuse(answer)
            else:
                connection.reply(200, answer)

        self._supervisor.load((*piece, request.number("last", 1, "0") == 1), done)

    def _post_exec(self, connection, request):
        self._supervisor.begin(Block(*requests.check_exec(self._of_this_generation(request))))
        connection.reply(200, self._supervisor.info())

    def _get_events(self, connection, request):
        block = self._supervisor.current_block(request.number("block", 1 << 53))
        after = request.number("after", 1 << 53, "0")
        seconds = request.number("wait_ms", limits.WAIT_MS, "0") / 1000
        self._supervisor.polls.add(connection, block, after, seconds)

    def _get_output(self, connection, request):
        block = self._supervisor.current_block(request.number("block", 1 << 53))
        stream = block.streams.get(request.query.get("stream", "stdout"))
        if stream is None:
            raise HttpError(400, "malformed", "stream must be stdout or stderr")
        start = request.number("offset", 1 << 53, "0")
        connection.reply(200, bytes(stream.full[start:]), "application/octet-stream")

    def _post_answers(self, connection, request):
        body = self._of_this_generation(request)
        block = self._supervisor.current_block(requests.whole(body, "block"))
        answers = requests.check_answers(body)
        for name, _, _ in answers:
            if not block.knows(name):
                raise HttpError(409, "diverged", "block %d made no call %s" % (block.number, name[:100]))
        self._supervisor.answer(block, answers)
        connection.reply(200, {})

    def _post_interrupt(self, connection, request):
        body = self._of_this_generation(request)
        block = self._supervisor.current_block(requests.whole(body, "block"))
        self._supervisor.interrupt(block, "interrupted", "The block was interrupted.")
        connection.reply(200, {})

    def _post_process(self, connection, request):
        wanted = CommandRequest(request.json())
        commands = self._supervisor.processes.commands
        if len(commands) >= limits.PROCESSES:
            raise HttpError(503, "busy", "%d commands are running already" % limits.PROCESSES)
        if wanted.alone:
            self._supervisor.processes.kill_all()
        try:
            command = Command(self._loop, wanted, lambda command: _reply_with(connection, command))
        except OSError as error:
            raise HttpError(503, "process", "cannot start a process: %s" % error) from None
        commands[command.pid] = command
        connection.on_hang_up = command.abort

    def _post_unchanged(self, connection, request):
        from rlm_kernel.unchanged import is_unchanged

        body = request.json()
        changes = requests.text(body, "changes") if "changes" in body else None
        unchanged = is_unchanged(requests.text(body, "workspace"), requests.text(body, "index"), changes)
        connection.reply(200, {"unchanged": unchanged})

    def _post_renew(self, connection, request):
        connection.reply(200, {})

    def _post_shutdown(self, connection, request):
        connection.reply(200, {})
        raise Shutdown

    def _of_this_generation(self, request):
        body = request.json()
        self._check_generation(requests.whole(body, "generation"))
        return body

    def _check_generation(self, asked):
        ours = self._supervisor.generation
        if asked != ours:
            raise HttpError(409, "generation", "this sandbox has generation %d, not %d" % (ours, asked))


def _reply_with(connection, command):
    try:
        connection.reply(200, command.result())
    except MemoryError:
        connection.refuse(HttpError(503, "memory", "not enough memory for the output of this command"))


_ROUTES = {
    "/v1/info": ("GET", Server._get_info),
    "/v1/setup": ("POST", Server._post_setup),
    "/v1/input": ("POST", Server._post_input),
    "/v1/exec": ("POST", Server._post_exec),
    "/v1/events": ("GET", Server._get_events),
    "/v1/output": ("GET", Server._get_output),
    "/v1/answers": ("POST", Server._post_answers),
    "/v1/interrupt": ("POST", Server._post_interrupt),
    "/v1/process": ("POST", Server._post_process),
    "/v1/unchanged": ("POST", Server._post_unchanged),
    "/v1/renew": ("POST", Server._post_renew),
    "/v1/shutdown": ("POST", Server._post_shutdown),
}

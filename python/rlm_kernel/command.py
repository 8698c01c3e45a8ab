"""/v1/process: a command beside the REPL, without blocking the loop."""

import signal
import binascii
import os

from rlm_kernel.connection import HttpError
from rlm_kernel.limits import PROCESS_OUTPUT, PROCESS_OUTPUT_MAX, PROCESS_TIMEOUT
from rlm_kernel.loop import READ, WRITE
from rlm_kernel.system import available

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class CommandRequest:
    def __init__(self, body):
        self.argv = body.get("argv")
        self.cwd = body.get("cwd", ".")
        self.env = body.get("env")
        self.timeout = body.get("timeout", PROCESS_TIMEOUT)
        self.limit = body.get("limit", PROCESS_OUTPUT)
        self.alone = body.get("alone", False)
        stdin = body.get("stdin", "")
        _require(isinstance(self.argv, list) and self.argv and all(map(_is_word, self.argv)), "argv")
        _require(_is_word(self.cwd), "cwd")
        if self.env is None:
            self.env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        _require(
            isinstance(self.env, dict)
            and all(_is_word(name) and name and "=" not in name for name in self.env)
            and all(map(_is_word, self.env.values())),
            "env",
        )
        _require(_is_number(self.timeout) and 0 < self.timeout <= 86400, "timeout")
        _require(_is_number(self.limit) and 0 <= self.limit <= PROCESS_OUTPUT_MAX, "limit")
        self.limit = int(self.limit)
        _require(isinstance(self.alone, bool), "alone")
        _require(isinstance(stdin, str) and stdin.isascii() and len(stdin) % 4 == 0, "stdin")
        stdin = stdin.encode("ascii")
        _require(not stdin.translate(None, _BASE64), "stdin")
        try:
            self.stdin = binascii.a2b_base64(stdin)
        except ValueError:
            _require(False, "stdin")


def _require(condition, name):
    if not condition:
        raise HttpError(400, "malformed", "process: %s is missing or malformed" % name)


def _is_word(value):
    return isinstance(value, str) and "\0" not in value


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Command:
    """`done(command)` is called when it has ended, unless `abort` came first."""

    def __init__(self, loop, request, done):
        self._loop = loop
        self._done = done
        self._limit = request.limit
        self._output = {}
        self._truncated = False
        self._status = None
        self._stdin = memoryview(request.stdin)
        input_read, self._input = os.pipe2(os.O_CLOEXEC)
        stdout, output_write = os.pipe2(os.O_CLOEXEC)
        stderr, error_write = os.pipe2(os.O_CLOEXEC)
        self._streams = [stdout, stderr]
        self.pid = os.fork()
        if self.pid == 0:
            _become(request, input_read, output_write, error_write)
        for descriptor in (input_read, output_write, error_write):
            os.close(descriptor)
        for descriptor in self._streams:
            self._output[descriptor] = bytearray()
            os.set_blocking(descriptor, False)
            loop.watch(descriptor, self._reader(descriptor), READ)
        os.set_blocking(self._input, False)
        loop.watch(self._input, self._write, WRITE)
        self._timer = loop.after(request.timeout, self._kill)

    def exited(self, status):
        """Called by the code that reaps children."""
        self._status = status
        self._timer.cancel()
        self._kill()
        for descriptor in self._streams:
            self._take_rest(descriptor)
        self._close()
        if self._done is not None:
            self._done(self)

    def result(self):
        """The reply, once it has ended."""
        exited = os.WIFEXITED(self._status)
        stdout, stderr = (self._output[descriptor] for descriptor in self._streams)
        return {
            "code": os.WEXITSTATUS(self._status) if exited else 128 + os.WTERMSIG(self._status),
            "stdout": _base64(stdout),
            "stderr": _base64(stderr),
            "truncated": self._truncated,
        }

    def abort(self):
        """Nobody waits for it any more."""
        self._done = None
        self._kill()

    def _kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            if self._status is None:
                # It has not become the leader of a group yet.
                os.kill(self.pid, signal.SIGKILL)

    def _close(self):
        for descriptor in self._streams:
            self._loop.forget(descriptor)
            os.close(descriptor)
        self._close_input()

    def _close_input(self):
        if self._input is not None:
            self._loop.forget(self._input)
            os.close(self._input)
            self._input = None

    def _write(self, events):
        try:
            while self._stdin:
                self._stdin = self._stdin[os.write(self._input, self._stdin[: 1 << 16]) :]
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close_input()

    def _reader(self, descriptor):
        def read(events):
            if not self._read(descriptor, 1 << 18):
                self._loop.forget(descriptor)

        return read

    def _read(self, descriptor, most):
        try:
            data = os.read(descriptor, most)
        except BlockingIOError:
            return 1
        kept = self._output[descriptor]
        room = self._limit - len(kept)
        kept += data[:room] if room > 0 else b""
        self._truncated = self._truncated or len(data) > room
        return len(data)

    def _take_rest(self, descriptor):
        left = available(descriptor)
        while left > 0:
            taken = self._read(descriptor, left)
            left -= taken or left


def _base64(data):
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _become(request, stdin, stdout, stderr):
    """In the forked child: never returns."""
    code, complaint = _NOT_EXECUTABLE, ""
    try:
        os.setsid()
        for target, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, target)
        os.closerange(3, 65536)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(request.cwd)
        os.execvpe(request.argv[0], request.argv, request.env)
    except OSError as error:
        code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        name = request.cwd if error.filename == request.cwd else request.argv[0]
        complaint = "%s: %s\n" % (name, error.strerror)
    except BaseException as error:
        complaint = "%s: %r\n" % (request.argv[0], error)
    finally:
        try:
            os.write(2, complaint.encode("utf-8", "backslashreplace"))
        finally:
            os._exit(code)

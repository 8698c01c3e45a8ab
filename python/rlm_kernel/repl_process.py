"""The supervisor's side of the REPL process: its pipes, its bridge, its end."""

import signal
import socket
import os

from rlm_kernel import wire
from rlm_kernel.limits import CALL_SIZE, CALL_VALUES, CONTROL_SIZE, UNREAD_SIZE
from rlm_kernel.loop import ENDED, READ, WRITE
from rlm_kernel.system import available

_ROOM_FOR_ENCODING = 1024 * 1024
# A process or thread has one at a time; the supervisor may have 1,024 descriptors in all.
_MOST_LINES = 512
_MOST_READS = 4096
FRAME_VALUES = 4 * CALL_VALUES


class BecomeRepl(BaseException):
    """Raised in the forked child: unwinds the supervisor, then the REPL begins with these descriptors, and the address for calls."""

    def __init__(self, control, bridge, stdout, stderr):
        super().__init__()
        self.ends = (control, bridge, stdout, stderr)


class Unread:
    """What all callers together have sent of messages that are not complete."""

    def __init__(self):
        self._bytes = 0

    def add(self, count):
        """ValueError where that is too much."""
        self._bytes += count
        if count > 0 and self._bytes > UNREAD_SIZE:
            raise ValueError("too much of unfinished messages")


class Channel:
    """Messages in frames over a non-blocking descriptor."""

    def __init__(self, loop, descriptor, limit, on_message, on_close, unread=None):
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._unread = unread
        self._counted = 0
        self._reader = wire.FrameReader(limit, None if unread is None else FRAME_VALUES)
        self._output = []
        self._on_message = on_message
        self._on_close = on_close
        loop.watch(descriptor, self._ready, READ)

    @property
    def open(self):
        return self._descriptor is not None

    def send(self, value):
        self.send_frame(wire.frame(value))

    def send_frame(self, data):
        if self.open:
            self._output.append(memoryview(data))
            self._flush()

    def close(self):
        if self.open:
            descriptor, self._descriptor = self._descriptor, None
            self._loop.forget(descriptor)
            os.close(descriptor)
            self._output = []
            self._count_unread(0)
            # Not left to the collector of cycles: it may be large.
            self._reader.drop()
            self._on_close(self)

    def _count_unread(self, now):
        if self._unread is not None:
            more, self._counted = now - self._counted, now
            self._unread.add(more)

    def _ready(self, events):
        if events & WRITE:
            self._flush()
        if self.open and events & (READ | ENDED):
            self.read()

    def read(self):
        """Takes what is there; False when there is nothing more."""
        try:
            data = os.read(self._descriptor, 1 << 18)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        try:
            messages = self._reader.feed(data)
            self._count_unread(self._reader.unread)
        except (ValueError, MemoryError):
            messages, data = [], b""
        for message in messages:
            self._on_message(self, message)
        if not data:
            self.close()
        return bool(data)

    def drain(self):
        for _ in range(_MOST_READS):
            if not self.open or not self.read():
                break

    def _flush(self):
        try:
            while self._output:
                rest = self._output[0][os.write(self._descriptor, self._output[0]) :]
                if rest:
                    self._output[0] = rest
                else:
                    del self._output[0]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._loop.watch(self._descriptor, self._ready, READ | WRITE if self._output else READ)


class Stream:
    """One output pipe. Its write end stays open here, so it never ends; it is read only while a block runs."""

    def __init__(self, loop, feed):
        self._loop = loop
        self._feed = feed
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.read_end, False)

    def start(self):
        self._loop.watch(self.read_end, lambda events: self._read(1 << 16), READ)

    def stop(self):
        """Takes exactly what is in the pipe now, however fast others write to it, then leaves it alone."""
        self._loop.forget(self.read_end)
        left = available(self.read_end)
        while left > 0:
            taken = self._read(left)
            if not taken:
                break
            left -= taken

    def _read(self, most):
        try:
            data = os.read(self.read_end, most)
        except (BlockingIOError, InterruptedError):
            return 0
        self._feed(data)
        return len(data)


class ReplProcess:
    """`owner` has repl_message, repl_call and repl_caller_gone; its exit is seen by the code that reaps children."""

    def __init__(self, loop, streams, owner):
        self._loop = loop
        self._owner = owner
        self._lines = set()
        self.unread = Unread()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        # Not by handing over descriptors: how many of these are under way Linux counts for all sandboxes of a user together.
        bridge = socket.socket(socket.AF_UNIX)
        name = b"\0rlm-" + os.urandom(16).hex().encode()
        bridge.bind(name)
        bridge.listen(_MOST_LINES)
        self.pid = os.fork()
        if self.pid == 0:
            loop.abandon()
            ours.detach()
            bridge.detach()
            raise BecomeRepl(theirs.detach(), name, *(stream.write_end for stream in streams))
        theirs.close()
        self._control = Channel(loop, ours.detach(), CONTROL_SIZE, self._message, lambda channel: None)
        self._bridge = bridge
        bridge.setblocking(False)
        loop.watch(bridge.fileno(), self._accept, READ)

    def send_frame(self, data):
        self._control.send_frame(data)

    def interrupt(self):
        """SIGINT to its process group."""
        self._kill_group(signal.SIGINT)

    def kill(self):
        self._kill_group(signal.SIGKILL)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _kill_group(self, number):
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def drain(self):
        """After its death: takes what it still had to say."""
        self._control.drain()
        self.drain_calls()

    def drain_calls(self):
        """Takes in every call that was made until now."""
        self._accept(READ)
        for line in list(self._lines):
            if line.call is None:
                line.channel.drain()

    def close(self):
        self._control.close()
        self._loop.forget(self._bridge.fileno())
        self._bridge.close()
        for line in list(self._lines):
            line.channel.close()

    def _message(self, channel, message):
        if isinstance(message, dict):
            self._owner.repl_message(message)

    def _accept(self, events):
        """A caller connects, asks, and waits for its answer."""
        while True:
            try:
                caller = self._bridge.accept()[0]
            except (BlockingIOError, OSError):
                return
            if len(self._lines) < _MOST_LINES and _is_same_user(caller):
                self._lines.add(Line(self, caller.detach()))
            else:
                caller.close()

    def waits_on(self, lines):
        """True where nothing in it can go on until one of `lines` is answered."""
        from rlm_kernel.waiting import cannot_go_on

        if any(line.pid != self.pid for line in lines):
            return False
        return cannot_go_on(self.pid, {line.number for line in lines})

    def line_message(self, line, message):
        self._owner.repl_call(line, message)

    def line_closed(self, line):
        self._lines.discard(line)
        self._owner.repl_caller_gone(line)


def _is_same_user(caller):
    """Whose process it is; the address is one that others on the same network namespace can find."""
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * wire.INT_BYTES)
    uid = int.from_bytes(credentials[wire.INT_BYTES : 2 * wire.INT_BYTES], wire.BYTE_ORDER)
    return uid == os.getuid()


class Line:
    """The connection of one caller: it sends one request and waits for its answer."""

    def __init__(self, process, descriptor):
        self._process = process
        self.call = None
        self.pid = -1
        self.number = -1
        """The caller's process, and its descriptor there, as it says."""
        self.channel = None
        self.channel = Channel(
            process._loop,
            descriptor,
            CALL_SIZE + _ROOM_FOR_ENCODING,
            self._message,
            lambda channel: self._close(),
            process.unread,
        )

    def send(self, value):
        try:
            self.channel.send(value)
        except ValueError:
            self.channel.close()

    def _message(self, channel, message):
        if not isinstance(message, dict) or self.call is not None:
            channel.close()
            return
        if isinstance(message.get("pid"), int) and isinstance(message.get("descriptor"), int):
            self.pid, self.number = message["pid"], message["descriptor"]
        try:
            self._process.line_message(self, message)
        except (ValueError, MemoryError):
            # What it asks cannot travel: its caller sees the connection end.
            channel.close()

    def _close(self):
        self._process.line_closed(self)

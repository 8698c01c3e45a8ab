"""One HTTP/1.1 connection, read and written by hand: keep-alive, Content-Length bodies, one request at a time."""

import os

from rlm_kernel import wire
from rlm_kernel.limits import BODY_SIZE, HEADER_SIZE
from rlm_kernel.loop import ENDED, READ, WRITE

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class HttpError(Exception):
    """A refusal, answered as {error, message}."""

    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


class Request:
    __slots__ = ("body", "method", "path", "query")

    def __init__(self, method, target, body):
        self.method = method
        self.path, _, query = target.partition("?")
        self.query = dict(part.partition("=")[::2] for part in query.split("&") if part)
        self.body = body

    def number(self, name, largest, default=None):
        """A query parameter as a whole number from 0 to `largest`."""
        text = self.query.get(name, default)
        if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
            raise HttpError(400, "malformed", "query parameter %s must be a whole number" % name)
        return min(int(text), largest)

    def json(self):
        try:
            value = wire.decode(self.body)
        except ValueError as error:
            raise HttpError(400, "malformed", "the body is not JSON: %s" % error) from None
        if not isinstance(value, dict):
            raise HttpError(400, "malformed", "the body must be a JSON object")
        return value


class Connection:
    """Calls `handle(connection, request)` for each request; the handler calls `reply` once, now or later."""

    def __init__(self, loop, descriptor, handle, closed):
        self._loop = loop
        self._descriptor = descriptor
        self._handle = handle
        self._closed = closed
        self._input = bytearray()
        self._output = []
        self._scanned = 0
        self._head = None
        self._keep_alive = True
        self._pumping = False
        self.busy = False
        """A request is being handled."""
        self.on_hang_up = None
        """Called when the other side goes away before its reply."""
        self._watched = READ
        loop.watch(descriptor, self._ready, READ)

    @property
    def open(self):
        return self._descriptor is not None

    def reply(self, status, body, content_type="application/json"):
        """`body`: bytes, or a value to be sent as JSON."""
        if not self.open:
            return
        if not isinstance(body, (bytes, bytearray)):
            body = wire.encode(body)
        head = "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (
            status,
            _REASONS[status],
            content_type,
            len(body),
            "" if self._keep_alive else "Connection: close\r\n",
        )
        self.busy = False
        self.on_hang_up = None
        self._output = [memoryview(head.encode("ascii") + body)]
        self._write()
        self._pump()

    def refuse(self, error):
        self.reply(error.status, {"error": error.kind, "message": error.message})

    def close(self):
        if self.open:
            descriptor, self._descriptor = self._descriptor, None
            self._loop.forget(descriptor)
            os.close(descriptor)
            hang_up, self.on_hang_up = self.on_hang_up, None
            self._closed(self)
            if hang_up is not None:
                hang_up()

    def _ready(self, events):
        if events & WRITE and self._output:
            self._write()
            self._pump()
        if self.open and events & (READ | ENDED):
            self._read()

    def _read(self):
        try:
            data = os.read(self._descriptor, 1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._input += data
        if self.busy or self._output:
            # The next request may be sent early, but not without bound.
            if len(self._input) > HEADER_SIZE:
                self._watch(0)
            return
        self._pump()

    def _write(self):
        try:
            while self._output:
                written = os.write(self._descriptor, self._output[0])
                rest = self._output[0][written:]
                self._output = [rest] if rest else []
        except BlockingIOError:
            self._watch(WRITE)
            return
        except OSError:
            self.close()
            return
        if not self._keep_alive:
            self.close()
            return
        self._watch(READ)

    def _watch(self, events):
        if events != self._watched:
            self._watched = events
            self._loop.watch(self._descriptor, self._ready, events)

    def _pump(self):
        """Handles the requests at the front of the input, one after the other, as far as they are complete."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self.open and not self.busy and not self._output:
                request = self._parse()
                if request is None:
                    break
                self.busy = True
                self._handle(self, request)
        except HttpError as error:
            self._keep_alive = False
            self._input.clear()
            self.refuse(error)
        finally:
            self._pumping = False

    def _parse(self):
        if self._head is None:
            end = self._input.find(b"\r\n\r\n", max(0, self._scanned - 3))
            if end < 0:
                self._scanned = len(self._input)
            if (end if end >= 0 else len(self._input)) > HEADER_SIZE:
                raise HttpError(431, "too large", "the request's head is larger than %d bytes" % HEADER_SIZE)
            if end < 0:
                return None
            self._head = self._parse_head(bytes(self._input[:end]))
            del self._input[: end + 4]
            self._scanned = 0
        method, target, length = self._head
        if len(self._input) < length:
            return None
        body = bytes(memoryview(self._input)[:length])
        del self._input[:length]
        self._head = None
        return Request(method, target, body)

    def _parse_head(self, head):
        lines = head.lstrip(b"\r\n").decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0") or not words[1].startswith("/"):
            raise HttpError(400, "malformed", "not an HTTP/1.1 request")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise HttpError(400, "malformed", "malformed header")
            name, value = name.lower(), value.strip()
            if name == "content-length" and headers.get(name, value) != value:
                raise HttpError(400, "malformed", "two values of Content-Length")
            headers[name] = value
        if "transfer-encoding" in headers:
            raise HttpError(411, "malformed", "send a Content-Length, not a Transfer-Encoding")
        connection = headers.get("connection", "").lower()
        self._keep_alive = "close" not in connection and (words[2] == "HTTP/1.1" or "keep-alive" in connection)
        text = headers.get("content-length", "0")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise HttpError(400, "malformed", "malformed Content-Length")
        length = int(text)
        if length > BODY_SIZE:
            raise HttpError(413, "too large", "the body is larger than %d bytes" % BODY_SIZE)
        if headers.get("expect", "").lower() == "100-continue":
            self._continue()
        return words[0], words[1], length

    def _continue(self):
        try:
            os.write(self._descriptor, b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            pass

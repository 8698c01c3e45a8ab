"""Text of one stream of one block: escaped, counted, its head and tail kept, its full text kept up to a cap."""

import codecs

from rlm_kernel.limits import CAPTURE_SIZE

_CONTROLS = bytes(code for code in range(32) if code not in (9, 10)) + b"\x7f"
_ESCAPES = {code: "\\x%02x" % code for code in list(range(32)) + list(range(0x7F, 0xA0)) if code not in (9, 10)}
_ESCAPES[13] = "\\r"


def shorten(text, limit):
    """`text` cut to about `limit` characters, half of them its head and half its tail."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return _join(text[: limit - half], text[len(text) - half :], len(text))


def _join(head, tail, length):
    return "%s\n... [%d characters left out] ...\n%s" % (head, length - len(head) - len(tail), tail)


class Capture:
    def __init__(self, limit):
        self._limit = limit
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._head = []
        self._head_length = 0
        self._tail = []
        self._tail_length = 0
        self._half = limit // 2
        self.length = 0
        """Characters so far."""
        self.full = bytearray()
        """UTF-8, at most CAPTURE_SIZE bytes."""

    def feed(self, data):
        if data.isascii() and len(data.translate(None, _CONTROLS)) == len(data) and not self._decoder.getstate()[0]:
            self._add(data.decode("ascii"))
        else:
            self._add(self._decoder.decode(data).translate(_ESCAPES))

    def finish(self):
        """Ends the stream: an incomplete character at its end is escaped too."""
        self._add(self._decoder.decode(b"", True).translate(_ESCAPES))

    def text(self):
        if self.length <= self._limit:
            return "".join(self._head) + "".join(self._tail)
        head, tail = "".join(self._head), "".join(self._tail)
        kept = (head + tail)[-self._half :] if self._half else ""
        return _join(head[: self._limit - self._half], kept, self.length)

    def _add(self, text):
        if not text:
            return
        self.length += len(text)
        if len(self.full) < CAPTURE_SIZE:
            room = CAPTURE_SIZE - len(self.full)
            self.full += text.encode("utf-8")[:room]
        room = self._limit - self._head_length
        if room > 0:
            self._head.append(text[:room])
            self._head_length += min(room, len(text))
            text = text[room:]
        if text:
            self._tail.append(text)
            self._tail_length += len(text)
            if self._tail_length > 4 * self._limit + 65536:
                kept = "".join(self._tail)[-self._limit :] if self._limit else ""
                self._tail = [kept]
                self._tail_length = len(kept)

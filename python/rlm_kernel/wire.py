"""JSON and frames."""

import json
import os
import re
import sys


def _reject_constant(name):
    raise ValueError("%s is not JSON" % name)


def _parse_float(text):
    value = float(text)
    if value - value != 0:
        raise ValueError("a number out of range")
    return value


def _not_json(value):
    raise TypeError("%s is not JSON" % type(value).__name__)


_decode = json.JSONDecoder(parse_float=_parse_float, parse_constant=_reject_constant).decode
_encoders = [
    json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=sort, default=_not_json)
    for sort in (False, True)
]


def decode(data):
    """The value of UTF-8 JSON. ValueError where it is not JSON, nested too deeply, or NaN or infinity."""
    try:
        return _decode(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encode(value, canonical=False):
    """Compact UTF-8 JSON, keys in their order; canonical, for hashes: sorted. ValueError for what is not JSON."""
    try:
        text = _encoders[canonical].encode(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Lone surrogates occur only inside strings, where the escaped form means the same.
        return text.encode("utf-8", "backslashreplace")


def sha256(data):
    """Hexadecimal digest."""
    # Not before it is needed: OpenSSL takes milliseconds of each sandbox.
    import hashlib

    return hashlib.sha256(data).hexdigest()


def frame(value):
    """A message on one of the pipes between supervisor and REPL: four bytes of length, then JSON."""
    data = encode(value)
    return len(data).to_bytes(4, "big") + data


def write_all(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_exactly(descriptor, count):
    """`count` bytes, or None at the end of the stream."""
    parts = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_frame(descriptor):
    """The next message, or None at the end of the stream."""
    header = read_exactly(descriptor, 4)
    if header is None:
        return None
    data = read_exactly(descriptor, int.from_bytes(header, "big"))
    return None if data is None else decode(data)


_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _may_hold_more(data, values):
    """Whether JSON may hold more values, before it is read: as objects they take fifty times their room."""
    if data.count(b",") + data.count(b"[") + data.count(b"{") <= values:
        return False
    structure = _TEXTS.sub(b"", data)
    return structure.count(b",") + structure.count(b"[") + structure.count(b"{") > values


class FrameReader:
    """Cuts what a non-blocking descriptor delivers into messages; refuses frames above `limit` bytes, or with more than
    about `values` JSON values."""

    def __init__(self, limit, values=None):
        self._limit = limit
        self._values = values
        self._buffer = bytearray()

    @property
    def unread(self):
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    def drop(self):
        """Forgets what has come: nobody reads on."""
        self._buffer = bytearray()

    def feed(self, data):
        """Messages completed by `data`. ValueError for an oversized frame or one that is not JSON."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > self._limit:
                raise ValueError("frame of %d bytes" % length)
            if len(self._buffer) < 4 + length:
                break
            data = bytes(self._buffer[4 : 4 + length])
            if self._values is not None and _may_hold_more(data, self._values):
                raise ValueError("too many values")
            messages.append(decode(data))
            del self._buffer[: 4 + length]
        return messages


INT_BYTES = 4
BYTE_ORDER = sys.byteorder

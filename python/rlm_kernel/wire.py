"""JSON and frames.

JSON goes through the C functions under the `json` package, whose import alone costs 10 ms (it brings `re` and
`enum`); where an interpreter has them in another shape, the package itself is used.
"""

import os
import sys


def _reject_constant(name):
    raise ValueError("%s is not JSON" % name)


def _parse_float(text):
    value = float(text)
    if value - value != 0:
        raise ValueError("a number out of range")
    return value


class _ScannerSettings:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = staticmethod(_parse_float)
    parse_int = int
    parse_constant = staticmethod(_reject_constant)
    memo = None


def _not_json(value):
    raise TypeError("%s is not JSON" % type(value).__name__)


def _fast():
    import _json

    scan = _json.make_scanner(_ScannerSettings())
    encoders = [
        _json.make_encoder({}, _not_json, _json.encode_basestring, None, ":", ",", sort, False, False)
        for sort in (False, True)
    ]

    def decode(text):
        start = 0
        while text[start : start + 1] in (" ", "\t", "\r", "\n"):
            if start == len(text):
                break
            start += 1
        try:
            value, end = scan(text, start)
        except StopIteration:
            raise ValueError("not JSON") from None
        if text[end:].strip(" \t\r\n"):
            raise ValueError("text after the JSON value")
        return value

    def encode(value, canonical):
        return "".join(encoders[canonical](value, 0))

    sample = {"b": [1, 2.5, None, True, "\u00e9\n"], "a": {}}
    if decode(" " + encode(sample, True) + "\n") != sample or encode(sample, True)[:7] != '{"a":{}':
        raise ImportError("_json behaves in another way")
    return decode, encode


def _portable():
    import json

    decoder = json.JSONDecoder(parse_float=_parse_float, parse_constant=_reject_constant)
    encoders = [
        json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=sort, default=_not_json
        )
        for sort in (False, True)
    ]
    return decoder.decode, lambda value, canonical: encoders[canonical].encode(value)


try:
    _decode, _encode = _fast()
except Exception:
    _decode, _encode = _portable()


def decode(data):
    """The value of UTF-8 JSON. ValueError where it is not JSON, nested too deeply, or NaN or infinity."""
    try:
        return _decode(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encode(value, canonical=False):
    """Compact UTF-8 JSON; canonical: keys sorted. ValueError for what is not JSON."""
    try:
        text = _encode(value, canonical)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Lone surrogates occur only inside strings, where the escaped form means the same.
        return text.encode("utf-8", "backslashreplace")


def sha256(data):
    """Hexadecimal digest, without loading OpenSSL."""
    try:
        from _sha2 import sha256 as implementation
    except ImportError:
        try:
            from _sha256 import sha256 as implementation
        except ImportError:
            from hashlib import sha256 as implementation
    return implementation(data).hexdigest()


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


class FrameReader:
    """Cuts what a non-blocking descriptor delivers into messages; refuses frames above `limit` bytes."""

    def __init__(self, limit):
        self._limit = limit
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
            messages.append(decode(bytes(self._buffer[4 : 4 + length])))
            del self._buffer[: 4 + length]
        return messages


INT_BYTES = 4
BYTE_ORDER = sys.byteorder

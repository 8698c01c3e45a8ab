"""Large inputs: the bytes of a variable made into its value as they arrive, so that they are never held twice."""

import codecs
import gc

from rlm_kernel.typed import Checker

_ANY = {"kind": "any"}
_REAL_ERROR = 64 * 1024
"""An error this many characters before the end of what has arrived is not cured by what follows."""
_MAX_OPEN_NUMBER = 2
"""Characters after a complete number that may be the beginning of its rest: `1` of `1e-5` is followed by `e-`."""


def load(chunks, format, type, name):
    """The value of a variable. `chunks`: an iterable of bytes. ValueError where they are not what was announced."""
    checker = Checker(restores=True)
    build = {"text": _text, "json": _json, "jsonl": _json_lines}[format]
    was_enabled = gc.isenabled()
    # Many objects that all stay: looking for cycles among them would take longer than making them.
    gc.disable()
    try:
        value = build(iter(chunks), _Items(checker, type or _ANY, name))
    finally:
        if was_enabled:
            gc.enable()
    if checker.count:
        raise ValueError(checker.text())
    return value


class _Items:
    """Checks what arrives against the type of the variable, one item after the other where it is a list or a dict."""

    def __init__(self, checker, type, name):
        self._checker = checker
        self.type = type
        self._path = (None, name)

    def whole(self, value):
        return self._checker.convert(value, self.type, self._path)

    def item(self, value, index):
        if self.type["kind"] not in ("list", "tuple_of"):
            return value
        item = self.type["item"]
        value = _interned(value)
        return value if item["kind"] == "any" else self._checker.convert(value, item, (self._path, index), 1)

    def finish(self, items):
        """A list whose items went through `item`."""
        if self.type["kind"] == "list":
            return items
        return tuple(items) if self.type["kind"] == "tuple_of" else self.whole(items)


def _interned(value):
    """Records of a list share the texts of their keys."""
    if value.__class__ is dict:
        from sys import intern

        return {intern(key): item for key, item in value.items()}
    return value


def _decoded(chunks, errors):
    """Text in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def _text(chunks, items):
    """Bytes that are not UTF-8 become lone surrogates, as in Python's names of files."""
    whole = ""
    for text in _decoded(chunks, "surrogateescape"):
        # CPython lets a text that nobody else holds grow in place; joining the parts would hold all of it twice.
        whole += text
    return items.whole(whole)


# JSON


def _json(chunks, items):
    window = _Window(_decoded(chunks, "strict"))
    start = window.skip_blanks()
    if start == "[":
        value = items.finish(_json_items(window, items))
    elif start == "{":
        value = items.whole(_json_entries(window))
    else:
        value = items.whole(window.value())
    if window.skip_blanks():
        raise ValueError("there is more after the end of the JSON value, at character %d" % window.place())
    return value


def _json_items(window, items):
    found = []
    window.position += 1
    if window.skip_blanks() == "]":
        window.position += 1
        return found
    while True:
        found.append(items.item(window.value(), len(found)))
        if window.next_of("]"):
            return found


def _json_entries(window):
    found = {}
    window.position += 1
    if window.skip_blanks() == "}":
        window.position += 1
        return found
    while True:
        if window.skip_blanks() != '"':
            raise ValueError("it is not JSON: a key in quotes is missing, at character %d" % window.place())
        key = window.value()
        window.next_of(":", None)
        found[key] = window.value()
        if window.next_of("}"):
            return found


class _Window:
    """The part of a text that has arrived and was not read yet."""

    def __init__(self, pieces):
        import json

        self._pieces = pieces
        self._text = ""
        self.position = 0
        self._before = 0
        decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
        self._scan = decoder.scan_once

    def place(self):
        return self._before + self.position + 1

    def _more(self):
        """Takes at least as much as is there already, so that a long value is not read over and over again."""
        parts, taken = [self._text[self.position :]], 0
        self._before += self.position
        self.position = 0
        for piece in self._pieces:
            parts.append(piece)
            taken += len(piece)
            if taken > len(parts[0]):
                break
        self._text = "".join(parts)
        return taken > 0

    def skip_blanks(self):
        """The next character that is no blank; '' at the end."""
        while True:
            while self.position < len(self._text):
                if self._text[self.position] not in " \t\r\n":
                    return self._text[self.position]
                self.position += 1
            if not self._more():
                return ""

    def next_of(self, mark, other=","):
        """Reads one of two marks and the blanks after it; true where it was the first."""
        found = self.skip_blanks()
        if not found or found not in (mark, other):
            wanted = mark if other is None else "%s or %s" % (other, mark)
            raise ValueError("it is not JSON: %s is missing, at character %d" % (wanted, self.place()))
        self.position += 1
        if other is None or found == other:
            self.skip_blanks()
        return found == mark

    def value(self):
        while True:
            before = self._before
            try:
                value, end = self._scan(self._text, self.position)
            except StopIteration as stop:
                position, message = stop.value, "Expecting value"
            except RecursionError:
                raise ValueError("the JSON is nested too deeply") from None
            except ValueError as error:
                position, message = getattr(error, "pos", None), getattr(error, "msg", str(error))
            else:
                # A number may go on in what has not arrived: `0` of `0.5`, `1` of `1e-5`.
                if len(self._text) - end <= _MAX_OPEN_NUMBER and self._more():
                    continue
                self.position = end - (self._before - before)
                return value
            if position is None:
                raise ValueError("it is not JSON: %s" % message)
            if self._is_real(position, message) or not self._more():
                raise ValueError("it is not JSON: %s, at character %d" % (message, before + position + 1))

    def _is_real(self, position, message):
        return position < len(self._text) - _REAL_ERROR and "Unterminated" not in message


def _no_constant(name):
    raise ValueError("%s is not JSON" % name)


def _finite(text):
    value = float(text)
    if value - value != 0:
        raise ValueError("the number %s is out of range" % text[:40])
    return value


# Lines


def _lines(chunks):
    """Complete lines as bytes, without their ends."""
    parts = []
    for chunk in chunks:
        lines = chunk.split(b"\n")
        if len(lines) > 1:
            parts.append(lines[0])
            yield b"".join(parts)
            for line in lines[1:-1]:
                yield line
            parts = []
        parts.append(lines[-1])
    yield b"".join(parts)


def _json_lines(chunks, items):
    import json

    decode = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode
    found = []
    for number, line in enumerate(_lines(chunks), 1):
        if not line.strip():
            continue
        try:
            value = decode(line.decode("utf-8"))
        except RecursionError:
            raise ValueError("line %d is nested too deeply" % number) from None
        except ValueError as error:
            raise ValueError("line %d is not JSON: %s" % (number, error)) from None
        found.append(items.item(value, len(found)))
    return items.finish(found)

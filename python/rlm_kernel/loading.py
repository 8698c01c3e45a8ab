"""Inputs on their way from the host to the REPL: the supervisor's side. It holds one piece at a time."""

from rlm_kernel import wire
from rlm_kernel.connection import HttpError

FORMATS = ("text", "json", "jsonl")


class Loading:
    """Pieces carry their offset: what has arrived already is skipped, so that sending all of it again does no harm.

    One input after the other. `repl()` is the process to load into; `done` of a piece is called with its answer, or with
    an HttpError.
    """

    def __init__(self, inputs, repl):
        self._inputs = inputs
        self._repl = repl
        self._loaded = {}
        """The answer to the last piece, by the position of the input."""
        self._current = None
        self._received = 0
        self._lost = None
        """Why the REPL is gone that had a part of an input: told to who sends the next piece."""
        self._waiting = None
        """(done, is last) of the piece the REPL is busy with."""
        self._queue = []

    @property
    def missing(self):
        return [each["name"] for index, each in enumerate(self._inputs) if index not in self._loaded]

    @property
    def busy(self):
        """A piece is with the REPL."""
        return self._waiting is not None

    def piece(self, index, offset, data, last, done):
        self._queue.append((index, offset, data, last, done))
        self._go_on()

    def _go_on(self):
        while self._queue and self._waiting is None:
            piece = self._queue.pop(0)
            try:
                self._take(*piece)
            except HttpError as error:
                piece[-1](error)

    def _take(self, index, offset, data, last, done):
        if index >= len(self._inputs):
            raise HttpError(400, "malformed", "there is no input %d" % index)
        if index in self._loaded:
            done(self._loaded[index])
            return
        if self._current is None and offset == 0:
            self._begin(index)
        if self._current is None and self._lost is not None:
            raise HttpError(413, "memory", self._lost)
        if index != self._current:
            raise HttpError(409, "diverged", "input %d must begin at its first byte, after the one before" % index)
        known = self._received - offset
        if known < 0 or (last and known > len(data)):
            raise HttpError(409, "diverged", "of input %d there are %d bytes" % (index, self._received))
        data = memoryview(data)[known:]
        if not data and not last:
            done(self._answer())
            return
        self._received += len(data)
        self._waiting = (done, last)
        repl = self._repl()
        repl.send_frame(wire.frame({"type": "chunk", "size": len(data), "last": last}))
        if data:
            repl.send_frame(data)

    def _begin(self, index):
        self._current, self._received, self._lost = index, 0, None
        wanted = self._inputs[index]
        message = {"type": "load", "name": wanted["name"], "format": wanted["format"], "of": wanted.get("type")}
        self._repl().send_frame(wire.frame(message))

    def _answer(self):
        return {"received": self._received, "loaded": False}

    def taken(self):
        """The REPL wants the next piece."""
        if self._waiting is not None and not self._waiting[1]:
            self._finish(self._answer())

    def loaded(self, error):
        """The REPL has made the variable, or cannot."""
        if self._current is None or self._waiting is None:
            return
        index, self._current = self._current, None
        if error is None:
            self._loaded[index] = {"received": self._received, "loaded": True}
            self._finish(self._loaded[index])
        else:
            name = self._inputs[index]["name"]
            self._finish(HttpError(400, "input", "the input %s cannot be loaded: %s" % (name, error)))

    def lost(self, sentence):
        """The REPL is gone, and every variable with it."""
        self._loaded.clear()
        self._lost = sentence if self._current is not None else None
        self._current = None
        if self._waiting is not None:
            self._finish(HttpError(413, "memory", sentence))

    def _finish(self, answer):
        (done, _), self._waiting = self._waiting, None
        done(answer)
        self._go_on()

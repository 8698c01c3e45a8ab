"""From the code to the supervisor: calls of host functions, and FINAL. Each on a connection of its own."""

import _signal
import _socket
import _thread
import os
import sys

from rlm_kernel import wire
from rlm_kernel.limits import CALL_SIZE
from rlm_kernel.values import clean, sealed


class Final(KeyboardInterrupt):
    """Ends a block where it stands. A KeyboardInterrupt, because asyncio and thread pools let nothing else through."""


class Bridge:
    def __init__(self, descriptor):
        self._socket = _socket.socket(fileno=descriptor)
        self._pid = os.getpid()
        self._main = _thread.get_ident()
        self.final = False
        """FINAL was called in this block."""

    def call(self, function, arguments):
        """Blocks until the host has answered."""
        reply = self._ask({"type": "call", "function": function, "arguments": arguments})
        if reply is None:
            raise ConnectionError("the supervisor did not answer the call of %s" % function)
        return reply.get("value")

    def finish(self, value):
        """Seals the value of FINAL and ends the block, from whatever thread."""
        self.end_with(sealed(value), "FINAL")

    def end_with(self, value, name):
        """The same for what is JSON already; `name` is the function that was called."""
        if os.getpid() != self._pid:
            raise RuntimeError("%s cannot be called in another process; return the value and call it in the block" % name)
        reply = self._ask({"type": "final", "value": value})
        if reply is None or not reply.get("sealed"):
            raise RuntimeError("%s was called after the block had ended" % name)
        self.final = True
        if _thread.get_ident() != self._main:
            _let_threads_end_quietly()
            _signal.pthread_kill(self._main, _signal.SIGINT)
        raise Final

    def _ask(self, message):
        ours, theirs = _socket.socketpair()
        try:
            message["pid"] = os.getpid()
            message["descriptor"] = ours.fileno()
            data = wire.frame(message)
            if len(data) > CALL_SIZE:
                name = message.get("function", "the result")
                raise ValueError("%s: %d bytes are too many; %d are allowed" % (name, len(data), CALL_SIZE))
            passed = theirs.fileno().to_bytes(wire.INT_BYTES, wire.BYTE_ORDER)
            self._socket.sendmsg([b"c"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, passed)])
            theirs.close()
            ours.sendall(data)
            header = _receive(ours, 4)
            data = header and _receive(ours, int.from_bytes(header, "big"))
            return wire.decode(data) if data else None
        finally:
            ours.close()
            theirs.close()


def _receive(connection, count):
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _let_threads_end_quietly():
    threading = sys.modules.get("threading")
    if threading is None or getattr(threading.excepthook, "quiet", False):
        return
    report = threading.excepthook

    def quiet(arguments):
        if not issubclass(arguments.exc_type, Final):
            report(arguments)

    quiet.quiet = True
    threading.excepthook = quiet


def host_function(bridge, description):
    """A Python function with the name, parameters and docstring of the description, answered by the host."""
    name, parameters = description["name"], description["parameters"]
    defaults, heads = {}, []
    for index, parameter in enumerate(parameters):
        head = parameter["name"]
        if parameter["type"] != "any":
            head += ": " + parameter["type"]
        if "default" in parameter:
            defaults["_default_%d" % index] = parameter["default"]
            head += " = _default_%d" % index
        heads.append(head)
    types = {parameter["name"]: parameter["type"] for parameter in parameters}

    def answer(arguments):
        return bridge.call(name, {key: _checked(name, key, types[key], value) for key, value in arguments.items()})

    # `def` builds the signature, so that wrong arguments are Python's own TypeError.
    source = "def %s(%s):\n    return _answer({%s})\n" % (
        name,
        ", ".join(heads),
        ", ".join("%r: %s" % (parameter["name"], parameter["name"]) for parameter in parameters),
    )
    scope = {"_answer": answer, "__name__": "__main__", **defaults}
    exec(compile(source, __file__, "exec"), scope)
    function = scope[name]
    function.__annotations__ = {
        key: {"str": str, "list[str]": list}[kind] for key, kind in types.items() if kind != "any"
    }
    function.__doc__ = description["doc"]
    return function


def _checked(function, parameter, kind, value):
    if kind == "any":
        return sealed(value)
    if kind == "str":
        if isinstance(value, str):
            return clean(value)
        raise TypeError("%s: %s must be a string, not %s" % (function, parameter, type(value).__name__))
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple)):
        raise TypeError("%s: %s must be a list of strings, not %s" % (function, parameter, type(value).__name__))
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise TypeError(
                "%s: %s[%d] must be a string, not %s" % (function, parameter, index, type(item).__name__)
            )
    return [clean(item) for item in value]

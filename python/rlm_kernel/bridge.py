"""From the code to the supervisor: calls of host functions, and FINAL. Each on a connection of its own."""

import signal
import socket
import os
import sys
from _thread import get_ident

from rlm_kernel import bounds, wire
from rlm_kernel.limits import CALL_SIZE, NAME_LENGTH
from rlm_kernel.report import as_reports
from rlm_kernel.values import clean, sealed


class Final(KeyboardInterrupt):
    """Ends a block where it stands. A KeyboardInterrupt, because asyncio and thread pools let nothing else through."""


class Bridge:
    def __init__(self, address):
        self._address = address
        self._pid = os.getpid()
        self._main = get_ident()
        self.final = False
        """FINAL was called in this block."""

    def call(self, function, arguments):
        """Blocks until the host has answered: the value, and what more is known of the reports in it, by their place."""
        reply = self._ask({"type": "call", "function": function, "arguments": arguments})
        if reply is None:
            raise ConnectionError("the supervisor did not answer the call of %s" % function)
        return reply.get("value"), reply.get("reports", {})

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
        if get_ident() != self._main:
            _let_threads_end_quietly()
            signal.pthread_kill(self._main, signal.SIGINT)
        raise Final

    def _ask(self, message):
        ours = socket.socket(socket.AF_UNIX)
        try:
            message["pid"] = os.getpid()
            message["descriptor"] = ours.fileno()
            data = wire.frame(message)
            if len(data) > CALL_SIZE:
                name = message.get("function", "the result")
                raise ValueError("%s: %d bytes are too many; %d are allowed" % (name, len(data), CALL_SIZE))
            ours.connect(self._address)
            ours.sendall(data)
            header = _receive(ours, 4)
            data = header and _receive(ours, int.from_bytes(header, "big"))
            return wire.decode(data) if data else None
        finally:
            ours.close()


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
    takes_more, reports = description.get("variables"), description.get("reports")
    types = {parameter["name"]: parameter["type"] for parameter in parameters}

    def answer(arguments, variables=None):
        given = {key: value for key, value in arguments.items() if value is not _LEFT_OUT}
        found = {key: _checked(name, key, types[key], value) for key, value in given.items()}
        if variables:
            wanted = len(found[parameters[0]["name"]]) if takes_more == "each" else None
            found["variables"] = _variables(name, variables, parameters, wanted)
        excess = bounds.excess_of_call(name, found)
        if excess is not None:
            return bounds.failure(bounds.batch_size(name, found), excess)
        value, more = bridge.call(name, found)
        return as_reports(value, more) if reports else value

    # `def` builds the signature, so that wrong arguments are Python's own TypeError. No parameter begins with `__`.
    defaults = {"__default_%d" % i: each.get("default", _LEFT_OUT) for i, each in enumerate(parameters)}
    source = "def %s(%s):\n    return __answer({%s}%s)\n" % (
        name,
        ", ".join(_heads(parameters) + (["**variables"] if takes_more else [])),
        ", ".join("%r: %s" % (parameter["name"], parameter["name"]) for parameter in parameters),
        ", variables" if takes_more else "",
    )
    scope = {"__answer": answer, "__name__": "__main__", **defaults}
    exec(compile(source, __file__, "exec"), scope)
    function = scope[name]
    function.__annotations__ = {key: each for key, each in map(_annotation, parameters) if each is not None}
    function.__doc__ = description["doc"]
    return function


def _heads(parameters):
    """The parameters as `def` wants them, those that are given by name only at the end."""
    heads, named = [], []
    for index, parameter in enumerate(parameters):
        default = " = __default_%d" % index if "default" in parameter or parameter.get("optional") else ""
        (named if parameter.get("keyword_only") else heads).append(parameter["name"] + default)
    return heads + (["*", *named] if named else [])


class _Shown:
    """What a signature shows as it was written: a type that is never evaluated, a default that stands for nothing."""

    __slots__ = ("_text",)

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return self._text


_LEFT_OUT = _Shown("None")


_TAKEN = ("task", "FINAL", "FINAL_VAR", "SUBMIT", "edit_file", "apply_patch")


def _annotation(parameter):
    if "annotation" in parameter:
        return parameter["name"], _Shown(parameter["annotation"])
    return parameter["name"], {"str": str, "list[str]": list[str], "any": None}[parameter["type"]]


def _variables(function, given, parameters, wanted):
    """Further keyword arguments as an object; `wanted`: of how many items each must be a list, None where it need not."""
    from keyword import iskeyword

    for key, value in given.items():
        if not key.isidentifier() or iskeyword(key) or key.startswith("__") or len(key) > NAME_LENGTH:
            raise TypeError("%s: %r cannot be the name of a variable" % (function, clean(key[:100])))
        if key in _TAKEN or key.endswith(("_query", "_query_batched")):
            raise TypeError("%s: a sub-agent has something else called %s; give the variable another name" % (function, key))
        if wanted is None:
            continue
        first = parameters[0]["name"]
        if _list(value) is None:
            text = "%s: %s must be a list with one value for each of the %d %s, not %s"
            raise TypeError(text % (function, key, wanted, first, type(value).__name__))
        if len(_list(value)) != wanted:
            text = "%s: %s must have one value for each of the %d %s, but it has %d"
            raise TypeError(text % (function, key, wanted, first, len(value)))
    return {key: _json(function, key, value if wanted is None else _list(value)) for key, value in given.items()}


def _json(function, name, value):
    """A JSON value by the rules of SUBMIT; TypeError or ValueError where there is no obvious one."""
    from rlm_kernel.typed import Checker

    checker = Checker()
    found = checker.convert(value, {"kind": "any"}, (None, name))
    if checker.count == 0:
        return found
    problems = checker.text()
    if checker.count > 1:
        problems = "%d problems:\n  %s" % (checker.count, problems.replace("\n", "\n  "))
    raise (TypeError if checker.wrong_type else ValueError)("%s: %s" % (function, problems))


def _list(value):
    """A list, a tuple, or a column of a table as one of them; None for anything else."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (str, bytes, dict)):
        return None
    from rlm_kernel.plain import NotJson, plain

    try:
        found = plain(value, ("list",))
    except NotJson:
        return None
    return found if isinstance(found, (list, tuple)) else None


def _checked(function, parameter, kind, value):
    if kind == "any":
        return _json(function, parameter, value)
    if kind == "str":
        if isinstance(value, str):
            return clean(value)
        raise TypeError("%s: %s must be a string, not %s" % (function, parameter, type(value).__name__))
    items = _list(value)
    if items is None:
        raise TypeError("%s: %s must be a list of strings, not %s" % (function, parameter, type(value).__name__))
    value = items
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise TypeError(
                "%s: %s[%d] must be a string, not %s" % (function, parameter, index, type(item).__name__)
            )
    return [clean(item) for item in value]

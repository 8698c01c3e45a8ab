"""The REPL process: runs blocks in the real `__main__`, so that nothing is ever pickled and everything survives."""

import signal
import builtins
import os
import sys

from rlm_kernel import system, wire
from rlm_kernel.awaiting import EventLoop, wants_loop
from rlm_kernel.bridge import Bridge, Final, host_function
from rlm_kernel.echo import compile_block, describe, describe_briefly, remember_source
from rlm_kernel.editing import edit_file
from rlm_kernel.merging import apply_patch
from rlm_kernel.imports import act_on_imports, keep_bytecode_outside
from rlm_kernel.values import clean

# The code's own descriptors begin at 3; ours lie where it does not look.
_LOWEST_DESCRIPTOR = 100
_STARTS_PROCESS = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}


def run(control, bridge, stdout, stderr):
    """Never returns."""
    status = 70
    try:
        repl = Repl(control, bridge, stdout, stderr)
        while True:
            message = wire.read_frame(repl.control)
            if message is None:
                status = 0
                break
            repl.handle(message)
    finally:
        os._exit(status)


class Repl:
    def __init__(self, control, bridge, stdout, stderr):
        self._pid = os.getpid()
        self._in_block = False
        _calm_signals(self._on_interrupt)
        os.setsid()
        # The supervisor must come to its turn beside whatever the code does.
        system.lower_priority(2)
        system.die_with_parent()
        system.show_memory()
        system.prefer_for_oom_killer()
        self.control, self._stdout, self._stderr = _move_descriptors(control, stdout, stderr)
        self._bridge = Bridge(bridge)
        self._sources = {}
        self._functions = {}
        self._submission = None
        """Where a signature says what the result is."""
        self._module = _fresh_main()
        self._streams = None
        self._loop = EventLoop()
        self._restore()
        sys.addaudithook(_flush_before_processes)
        os.register_at_fork(before=_flush)

    def handle(self, message):
        if message["type"] == "setup":
            self._reply({"type": "setup", "error": self._setup(message)})
        elif message["type"] == "load":
            self._reply({"type": "loaded", **self._load(message)})
        else:
            self._reply(self._run_block(message))

    def _reply(self, message):
        wire.write_all(self.control, wire.frame(message))

    def _setup(self, message):
        namespace = self._module.__dict__
        self._functions = {
            "FINAL": _named(self._final, "FINAL"),
            "FINAL_VAR": _named(self._final_var, "FINAL_VAR"),
            "edit_file": edit_file,
            "apply_patch": apply_patch,
        }
        if "outputs" in message:
            from rlm_kernel.submit import Submission

            self._submission = Submission(self._bridge, message["outputs"])
            self._functions["SUBMIT"] = self._submission.function()
        for description in message["functions"]:
            try:
                self._functions[description["name"]] = host_function(self._bridge, description)
            except SyntaxError as error:
                return "function %s cannot be made: %s" % (description["name"], error.msg)
        namespace.update(message["variables"])
        namespace.update(self._functions)
        if "" not in sys.path:
            act_on_imports(message["seed"], self._remember_sources)
            sys.path.insert(0, "")
        try:
            os.chdir(message["cwd"])
        except OSError as error:
            return "the folder %s cannot be entered: %s" % (message["cwd"], error.strerror)
        return None

    def _load(self, message):
        """Makes a variable of the pieces that follow."""
        from rlm_kernel import load

        try:
            pieces = self._pieces()
            self._module.__dict__[message["name"]] = load.load(pieces, message["format"], message["of"], message["name"])
            return {"error": None}
        except MemoryError:
            return {"error": "the sandbox has too little memory for it"}
        except Exception as error:
            return {"error": clean("%s" % error if isinstance(error, ValueError) else repr(error))}

    def _pieces(self):
        while True:
            message = wire.read_frame(self.control)
            piece = None if message is None else wire.read_exactly(self.control, message["size"])
            if piece is None:
                os._exit(0)
            yield piece
            if message["last"]:
                return
            self._reply({"type": "taken"})

    def _final(self, answer):
        """Ends the work: `answer` is the result, a string or any JSON value."""
        self._finish(answer, "FINAL")

    def _finish(self, answer, name):
        if self._submission is None:
            self._bridge.finish(answer)
        else:
            self._submission.final(answer, name)

    def _final_var(self, name):
        """Ends the work: the value of the variable called `name` (a string) is the result."""
        if not isinstance(name, str):
            raise TypeError(
                "FINAL_VAR takes the name of a variable, as a string, not %s; to give a value itself call FINAL(value)"
                % type(name).__name__
            )
        namespace = self._module.__dict__
        if name not in namespace or name.startswith("__"):
            there = sorted(key for key in namespace if not key.startswith("_") and key not in self._functions)
            raise NameError(
                "FINAL_VAR: there is no variable %r; there are: %s" % (name, ", ".join(there[:100]) or "none")
            )
        self._finish(namespace[name], "FINAL_VAR")

    # Blocks

    def _run_block(self, message):
        self._restore()
        name = "<block %d>" % message["block"]
        code = message["code"]
        self._sources[name] = code
        if "linecache" in sys.modules:
            remember_source(sys.modules["linecache"], code, name)
        self._bridge.final = False
        error = raised = None
        try:
            try:
                self._in_block = True
                self._run_parts(compile_block(code, name))
            finally:
                self._in_block = False
        except BaseException as exception:
            self._in_block = False
            raised = exception
            error = self._judge(exception, message["limit"])
        _flush()
        if os.getpid() != self._pid:
            _leave_forked_process(raised, error)
        del raised
        return {
            "type": "finished",
            "block": message["block"],
            "status": "ok" if error is None else "error",
            "error": error,
        }

    def _run_parts(self, parts):
        if wants_loop(parts):
            self._loop.run(parts, self._module.__dict__)
        else:
            for part in parts:
                exec(part, self._module.__dict__)

    def _judge(self, raised, limit):
        """The text of an error, or None where the exception is a way to end a block."""
        if isinstance(raised, Final) and os.getpid() == self._pid:
            return None
        if isinstance(raised, SystemExit) and raised.code in (None, 0):
            return None
        try:
            # The code's own __str__ may run here, even for ever.
            self._in_block = True
            return clean(describe(raised, limit))
        except BaseException as failure:
            return describe_briefly(raised, failure)
        finally:
            self._in_block = False

    def _remember_sources(self, linecache):
        for name, code in self._sources.items():
            remember_source(linecache, code, name)

    def _on_interrupt(self, number, frame):
        if os.getpid() != self._pid:
            raise KeyboardInterrupt
        if self._in_block:
            raise Final if self._bridge.final else KeyboardInterrupt

    def _restore(self):
        """Descriptors 0 to 2, sys.std*, SIGINT and our functions, whatever the last block did to them."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for target, descriptor in ((0, null), (1, self._stdout), (2, self._stderr)):
            if descriptor != target:
                os.dup2(descriptor, target)
        if null > 2:
            os.close(null)
        current = (sys.stdin, sys.stdout, sys.stderr)
        if self._streams is None or current != self._streams or not all(map(_is_usable, current)):
            if self._streams is not None:
                _flush()
            self._streams = (_text_stream(0, "r"), _text_stream(1, "w"), _text_stream(2, "w"))
        sys.stdin, sys.stdout, sys.stderr = self._streams
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = self._streams
        sys.displayhook, sys.excepthook = sys.__displayhook__, sys.__excepthook__
        signal.signal(signal.SIGINT, self._on_interrupt)
        self._module.__dict__.update(self._functions)
        sys.modules["__main__"] = self._module


def _named(method, name):
    def function(*arguments, **keywords):
        return method(*arguments, **keywords)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    return function


def _fresh_main():
    module = type(sys)("__main__")
    module.__builtins__ = builtins
    sys.modules["__main__"] = module
    sys.argv = [""]
    sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(os.path.dirname(__file__))]
    keep_bytecode_outside(os.environ.get("PYTHONPYCACHEPREFIX"))
    return module


def _calm_signals(on_interrupt):
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, on_interrupt)


def _move_descriptors(*descriptors):
    """Ours to high numbers, everything else that the supervisor had open is closed."""
    import fcntl

    moved = []
    for descriptor in descriptors:
        moved.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR + len(descriptors)))
    placed = []
    for offset, descriptor in enumerate(moved):
        os.dup2(descriptor, _LOWEST_DESCRIPTOR + offset, False)
        placed.append(_LOWEST_DESCRIPTOR + offset)
    os.closerange(3, _LOWEST_DESCRIPTOR)
    os.closerange(_LOWEST_DESCRIPTOR + len(descriptors), 65536)
    return placed


def _text_stream(descriptor, mode):
    if mode == "r":
        return open(descriptor, "r", encoding="utf-8", errors="surrogateescape", closefd=False)
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", newline="\n", closefd=False)


def _is_usable(stream):
    try:
        return not stream.closed
    except ValueError:
        # Its buffer was detached.
        return False


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def _flush_before_processes(event, arguments):
    if event in _STARTS_PROCESS:
        _flush()


def _leave_forked_process(raised, error):
    """A forked process that falls out of the block's end must not go on as a second REPL."""
    if isinstance(raised, SystemExit) and isinstance(raised.code, int):
        os._exit(raised.code & 0xFF)
    if error is not None:
        try:
            os.write(2, (error + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            pass
    os._exit(0 if error is None else 1)



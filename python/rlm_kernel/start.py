"""The command line: `serve` starts the supervisor; the REPL begins here too, in the forked child. `patch` takes the
difference between the clone and its commit; `setup` and `baseline` prepare what clones begin with."""

import signal
import socket
import os
import sys

from rlm_kernel import system
from rlm_kernel.loop import Loop
from rlm_kernel.repl_process import BecomeRepl
from rlm_kernel.server import Server, Shutdown
from rlm_kernel.supervisor import Supervisor

_USAGE = (
    "usage: kernel serve (--fd N | --socket PATH | --tcp PORT) [--generation G] [--idle-timeout SECONDS] "
    "[--memory-mb M] [--proxy SOCKET --proxy-port N]"
)
_MOST_FAILURES = 100


def main():
    command = _command(sys.argv[1:2])
    if command is not None:
        sys.exit(command(sys.argv[2:]))
    options = _parse(sys.argv[1:])
    try:
        code = _serve(options)
    except BecomeRepl as become:
        ends = become.ends
    else:
        sys.stdout.flush()
        os._exit(code)
    from rlm_kernel.repl import run

    run(*ends)


def _command(name):
    """Each is imported only where it is asked for."""
    if name == ["patch"]:
        from rlm_kernel.patch import main as command
    elif name == ["setup"]:
        from rlm_kernel.setup_commands import main as command
    elif name == ["baseline"]:
        from rlm_kernel.baseline import main as command
    else:
        command = None
    return command


def _parse(arguments):
    options = {"fd": None, "socket": None, "tcp": None, "generation": "0", "idle-timeout": "1800", "memory-mb": "0"}
    options.update({"proxy": None, "proxy-port": None})
    try:
        if arguments[0] != "serve" or len(arguments) % 2 == 0:
            raise ValueError
        for name, value in zip(arguments[1::2], arguments[2::2]):
            if not name.startswith("--") or name[2:] not in options:
                raise ValueError
            options[name[2:]] = value
        for name in ("fd", "tcp", "generation", "memory-mb", "proxy-port"):
            if options[name] is not None:
                options[name] = int(options[name])
        options["idle-timeout"] = float(options["idle-timeout"])
        if sum(options[name] is not None for name in ("fd", "socket", "tcp")) != 1:
            raise ValueError
    except (ValueError, IndexError):
        print(_USAGE, file=sys.stderr)
        sys.exit(2)
    return options


def _listen(options):
    if options["fd"] is not None:
        listener = socket.socket(fileno=options["fd"])
        os.set_inheritable(options["fd"], False)
    elif options["socket"] is not None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(options["socket"])
        listener.listen(128)
    else:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it; without, small replies wait 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(("0.0.0.0", options["tcp"]))
        listener.listen(128)
    listener.setblocking(False)
    return listener


def _complete_environment():
    """What the code needs and the environment lacks. Bytecode belongs outside the tree, or it lands in patches."""
    os.environ.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    os.environ.setdefault("HOME", "/tmp")
    os.environ.setdefault("LANG", "C.UTF-8")
    os.environ.setdefault("PYTHONHASHSEED", "0")
    if "PYTHONPYCACHEPREFIX" in os.environ:
        return None
    folder = "%s/rlm-bytecode-%s" % (os.environ.get("TMPDIR", "/tmp"), os.urandom(8).hex())
    os.environ["PYTHONPYCACHEPREFIX"] = folder
    return folder


def _remove(folder):
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    _remove(entry.path)
                else:
                    os.unlink(entry.path)
        os.rmdir(folder)
    except OSError:
        pass


def _serve(options):
    listener = _listen(options)
    bytecode = _complete_environment()
    system.hide_memory()
    if os.getpid() != 1:
        system.adopt_orphans()
    loop = Loop()
    wake = _watch_children()
    supervisor = None
    try:
        supervisor = Supervisor(loop, options["generation"], options["memory-mb"])
        Server(loop, listener, supervisor, options["idle-timeout"])
        if options["proxy"] is not None:
            from rlm_kernel.relay import Relay

            Relay(loop, options["proxy-port"], options["proxy"])
        loop.watch(wake, lambda events: _on_signal(wake, supervisor))
        _run(loop)
    except BecomeRepl:
        listener.detach()
        raise
    except Shutdown:
        pass
    finally:
        signal.set_wakeup_fd(-1)
    if supervisor is not None:
        supervisor.processes.kill_all()
    if options["socket"] is not None:
        _unlink(options["socket"])
    if bytecode is not None:
        _remove(bytecode)
    return 0


def _run(loop):
    failures = 0
    while failures < _MOST_FAILURES:
        try:
            loop.step()
            failures = 0
        except Exception as error:
            # A fault of one request or process must not end the sandbox.
            failures += 1
            _complain(error)


def _complain(error):
    try:
        print("kernel: %r" % error, file=sys.stderr, flush=True)
    except OSError:
        pass  # Who started the sandbox is gone, and the other end of the pipe with it.


def _unlink(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def _stop(number, frame):
    raise Shutdown


def _watch_children():
    """A descriptor that becomes readable when a child has ended."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return read_end


def _on_signal(descriptor, supervisor):
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        pass
    supervisor.children_changed()



"""Lock, record, namespace and server process, in this order; then the relay."""

import fcntl
import json
import os
import signal
import sys

import linux
import relay

# How this process ends; src/temporal/dev-server-launcher.ts knows these.
LOCK_IS_HELD = 75
NO_NAMESPACE = 76


def main(spec):
    try:
        return _run(spec)
    except OSError as error:
        # A disk that is full, say. The command that wanted the server prints the end of this log.
        place = error.filename or os.getcwd()
        print(f"The server's files cannot be written: {place}: {error.strerror}.", file=sys.stderr, flush=True)
        return 1


def _run(spec):
    os.umask(0o077)
    descriptor = os.open(spec["lock"], os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return LOCK_IS_HELD
    # The server inherits the lock: when this process is killed, it is held until the server has ended too.
    os.set_inheritable(descriptor, True)
    _prepare_database(spec["database"], spec["making"])
    try:
        linux.enter_network_namespace()
    except OSError as error:
        print(f"No network namespace can be made: {error.strerror}.", file=sys.stderr, flush=True)
        return NO_NAMESPACE
    listeners = [(relay.bind(path), port) for path, port in spec["sockets"].items()]
    _write_record(spec["record"], spec["found"])
    server = _start(spec["command"])
    for listener, port in listeners:
        relay.serve(listener, port)
    return _wait(server)


def _prepare_database(database, making):
    """A database whose making was cut off would never start again: it is marked until its server answers."""
    if os.path.exists(making):
        for file in [database, database + "-wal", database + "-shm"]:
            if os.path.exists(file):
                os.unlink(file)
    elif not os.path.exists(database):
        open(making, "x").close()


def _write_record(path, found):
    pid = os.getpid()
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        start_time = file.read().rpartition(")")[2].split()[19]
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
        boot_id = file.read().strip()
    temporary = f"{path}.{pid}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({**found, "process": {"pid": pid, "startTime": start_time, "bootId": boot_id}}, file)
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _start(command):
    keeper = os.getpid()
    pid = os.fork()
    if pid != 0:
        return pid
    try:
        linux.die_with_parent()
        if os.getppid() != keeper:
            os._exit(1)
        os.execv(command[0], command)
    except BaseException as error:  # noqa: BLE001 - the process ends either way; the log says why
        os.write(2, f"{command[0]} cannot be started: {error}\n".encode())
    os._exit(127)


def _wait(server):
    """Until it has ended; who asks this process to end asks the server. @returns its exit code"""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(server, signal.SIGTERM))
    _, status = os.waitpid(server, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

"""Runs the commands of `sandbox.setup` one after another, before any agent begins; `kernel setup`, inside a sandbox.

    kernel setup --workspace FOLDER --seconds N --commands JSON [--least-free BYTES] [--proxy SOCKET --proxy-port N]
                 [--disk-mb N --folders JSON] [--memory-mb N]

`folders` may together grow by `disk-mb`; all processes together may use `memory-mb`. `commands` is a list of argument lists. `proxy` is a unix socket that the port of the loopback leads to while they run.
Writes one line of JSON:

    {"failed": null, "seconds": 12.3}
    {"failed": 1, "seconds": 12.3, "code": 1, "why": "ended with exit code 1", "output": "the end of what it printed"}
"""

import json
import os
import select
import signal
import subprocess
import sys
from time import monotonic, sleep

from rlm_kernel import footprint, system
from rlm_kernel.limits import MIB
from rlm_kernel.processes import Processes
from rlm_kernel.way_out import open_way_out

_KEPT = 8 * 1024
_BLOCK = 4096
_INTERVAL = 0.5


def main(arguments):
    options = dict(zip(arguments[0::2], arguments[1::2]))
    workspace, limit = options["--workspace"], float(options["--seconds"])
    limits = Limits(options)
    if os.getpid() != 1:
        system.adopt_orphans()
    if "--proxy" in options:
        open_way_out(int(options["--proxy-port"]), options["--proxy"])
    began = monotonic()
    report = {"failed": None}
    for place, command in enumerate(json.loads(options["--commands"])):
        failure = Run(command, workspace, limits).until(began + limit, limit)
        if failure is not None:
            report = {"failed": place, **failure}
            break
    # What a command left running must not go on to change the tree.
    Processes().kill_all()
    print(json.dumps({**report, "seconds": round(monotonic() - began, 1)}), flush=True)
    return 0


class Limits:
    """Of all that the commands take. Looking at the disk takes a share of the time, however many files there are."""

    def __init__(self, options):
        self._workspace = options["--workspace"]
        self._least_free = int(options.get("--least-free", "0"))
        self._memory = int(options.get("--memory-mb", "0")) * MIB
        self._disk = int(options.get("--disk-mb", "0")) * MIB
        self._folders = json.loads(options.get("--folders", "[]"))
        self._before = self._used() if self._disk else 0
        self._look_again = 0.0
        self._shared = footprint.SharedMemory()

    def exceeded(self):
        """In words; None where all is well."""
        if self._least_free and _free(self._workspace) < self._least_free:
            return "less than %d MiB are left on the disk" % (self._least_free >> 20)
        pids = [pid for pid, _ in system.descendants(os.getpid())]
        if self._memory and footprint.use_more_than(pids, self._memory, self._shared):
            return "its processes used more than %d MiB of memory" % (self._memory // MIB)
        began = monotonic()
        if not self._disk or began < self._look_again:
            return None
        used = self._used()
        self._look_again = monotonic() + max(1.0, 5 * (monotonic() - began))
        if used - self._before > self._disk:
            return "it wrote more than the %d MiB of sandbox.disk_mb" % (self._disk // MIB)
        return None

    def _used(self):
        """Bytes on disk, at least a block for each file."""
        total, left = 0, list(self._folders)
        while left:
            try:
                with os.scandir(left.pop()) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        total += max(_BLOCK, status.st_blocks * 512)
                        if entry.is_dir(follow_symlinks=False):
                            left.append(entry.path)
            except OSError:
                continue  # It has gone, or is closed to its owner.
        return total


class Run:
    """One command, with its output and errors in one stream, as a terminal would show them."""

    def __init__(self, command, workspace, limits):
        self._command = command
        self._workspace = workspace
        self._limits = limits
        self._tail = b""

    def until(self, deadline, limit):
        """None where it went well, else what went wrong."""
        try:
            process = subprocess.Popen(
                self._command,
                cwd=self._workspace,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return self._failure("cannot be started: %s" % error.strerror, 127)
        os.set_blocking(process.stdout.fileno(), False)
        why = self._watch(process, deadline, limit)
        _kill(process.pid)
        code = process.wait()
        self._read(process.stdout)
        process.stdout.close()
        if why is not None:
            return self._failure(why, None)
        if code == 0:
            return None
        ended = "was killed by signal %d" % -code if code < 0 else "ended with exit code %d" % code
        return self._failure(ended, code if code > 0 else 128 - code)

    def _watch(self, process, deadline, limit):
        """Returns when it has ended by itself, or the reason why it must not go on.

        Not when its output has: what it left in the background may hold that open.
        """
        open_streams = [process.stdout]
        while process.poll() is None:
            if monotonic() > deadline:
                return "did not end within the %g s of sandbox.setup_timeout" % limit
            exceeded = self._limits.exceeded()
            if exceeded is not None:
                return "was ended: " + exceeded
            if not open_streams:
                sleep(0.02)
            elif select.select(open_streams, [], [], min(_INTERVAL, max(0.0, deadline - monotonic())))[0]:
                open_streams = open_streams if self._read(process.stdout) else []
        return None

    def _read(self, stream):
        """Takes what is there; False at the end of the stream."""
        while True:
            chunk = stream.read(1 << 16)
            if chunk is None:
                return True
            if not chunk:
                return False
            self._tail = (self._tail + chunk)[-_KEPT:]

    def _failure(self, why, code):
        return {"why": why, "code": code, "output": self._tail.decode("utf-8", "replace")}


def _free(folder):
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _kill(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

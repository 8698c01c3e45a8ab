"""The launcher's loop: one request a line on its input, one event a line on its output.

    {"key": 1, "op": "start", "spec": {...}}    {"key": 1, "event": "started", "pid": 4711, "launch": 4710}
                                                {"key": 1, "event": "exited", "code": 1, "stderr": "..."}
    {"key": 2, "op": "job", "spec": {...}}      {"key": 2, "event": "exited", "code": 0, "stderr": "", "stdout": "..."}
    {"key": 2, "op": "kill"}                    ends a job that takes too long

It ends when its input does. Sandboxes live on: nothing ties them to it.
"""

import errno
import json
import os
import resource
import selectors
import signal

import cgroup
import child

_KEPT = 64 * 1024


class Launch:
    """One child and what came through its pipes so far."""

    def __init__(self, key, pid, is_job):
        self.key = key
        self.pid = pid
        self.is_job = is_job
        self.groups = []
        """Folders of its control groups."""
        self.pipes = {}
        self.text = {"status": b"", "stderr": b"", "stdout": b""}


class Server:
    def __init__(self, input_fd, output_fd):
        self.input_fd = input_fd
        self.output_fd = output_fd
        self.pending = b""
        self.launches = {}
        self.selector = selectors.DefaultSelector()
        self.wakeup_fd, signal_fd = os.pipe()
        os.set_blocking(signal_fd, False)
        signal.set_wakeup_fd(signal_fd, warn_on_full_buffer=False)
        # Without a handler the signal would not reach the descriptor.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self):
        self.selector.register(self.input_fd, selectors.EVENT_READ, None)
        self.selector.register(self.wakeup_fd, selectors.EVENT_READ, None)
        while True:
            for ready, _ in self.selector.select():
                if ready.fd == self.input_fd:
                    if not self._read_requests():
                        return
                elif ready.fd == self.wakeup_fd:
                    self._reap()
                else:
                    self._read_pipe(*ready.data)

    def _read_requests(self):
        chunk = os.read(self.input_fd, 1 << 20)
        if not chunk:
            return False
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        for line in lines:
            self._handle(json.loads(line))
        return True

    def _handle(self, request):
        if request["op"] == "kill":
            launch = self.launches.get(request["key"])
            if launch is not None and launch.is_job:
                _kill_group(launch.pid)
            return
        try:
            self._start(request["key"], request["spec"], request["op"] == "job")
        except OSError as error:
            self._send({"key": request["key"], "event": "exited", "code": 125, "grouped": False, "stderr": str(error), "stdout": ""})

    def _start(self, key, spec, is_job):
        pipes = {name: os.pipe() for name in (("status", "stderr", "stdout") if is_job else ("status", "stderr"))}
        launcher = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            child.run(spec, launcher, pipes["status"][1], pipes["stderr"][1], pipes["stdout"][1] if is_job else None)
        launch = Launch(key, pid, is_job)
        self.launches[key] = launch
        for name, (read_end, write_end) in pipes.items():
            os.close(write_end)
            os.set_blocking(read_end, False)
            launch.pipes[name] = read_end
            self.selector.register(read_end, selectors.EVENT_READ, (launch, name))

    def _read_pipe(self, launch, name):
        """Reads what is there; true when there may be more."""
        if name not in launch.pipes:
            return False
        try:
            chunk = os.read(launch.pipes[name], 1 << 16)
        except BlockingIOError:
            return False
        if not chunk:
            self._close_pipe(launch, name)
            return False
        launch.text[name] = (launch.text[name] + chunk)[-_KEPT:]
        if name == "status":
            self._look_for_start(launch)
        return True

    def _look_for_start(self, launch):
        """bubblewrap writes one JSON document a line: its child's pid first, its exit code at the end."""
        *lines, launch.text["status"] = launch.text["status"].split(b"\n")
        for line in lines:
            if line.startswith(b'{"groups"'):
                launch.groups = json.loads(line)["groups"]
            elif b"child-pid" in line and not launch.is_job:
                pid = json.loads(line)["child-pid"]
                self._send({"key": launch.key, "event": "started", "pid": pid, "launch": launch.pid})

    def _close_pipe(self, launch, name):
        descriptor = launch.pipes.pop(name)
        self.selector.unregister(descriptor)
        os.close(descriptor)

    def _reap(self):
        os.read(self.wakeup_fd, 4096)
        while self.launches:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            launch = next((entry for entry in self.launches.values() if entry.pid == pid), None)
            if launch is not None:
                self._end(launch, status)

    def _end(self, launch, status):
        """Other processes may still hold the pipes, so their end is not waited for."""
        for name in list(launch.pipes):
            while self._read_pipe(launch, name):
                pass
        for name in list(launch.pipes):
            self._close_pipe(launch, name)
        del self.launches[launch.key]
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        texts = {name: launch.text[name].decode("utf-8", "replace") for name in ("stderr", "stdout")}
        cgroup.leave(launch.groups)
        self._send({"key": launch.key, "event": "exited", "code": code, "grouped": bool(launch.groups), **texts})

    def _send(self, event):
        data = json.dumps(event).encode() + b"\n"
        while data:
            data = data[os.write(self.output_fd, data) :]


def _kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def serve(input_fd, output_fd):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cgroup.tidy()
    try:
        Server(input_fd, output_fd).run()
    except (BrokenPipeError, KeyboardInterrupt):
        pass

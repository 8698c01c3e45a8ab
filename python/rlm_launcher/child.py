"""What the forked child of the launcher does until it becomes bubblewrap: socket, uid, namespaces, mounts.

A specification is a JSON object made by the provider (src/sandbox/local/launch-spec.ts):

    bwrap       path of bubblewrap; null runs the command without any isolation
    uid         what to become first, being root; null to stay what the launcher is
    folder      the sandbox's folder on the host, for the socket and the launch record; null for a job
    read_only   [[host path, path inside], ...]
    writable    [[host path, path inside], ...]       jobs only
    symlinks    [[target, path inside], ...]
    workspace   {"kind": "overlay" | "copy", "lower": path} | {"kind": "empty"} | {"kind": "bind", "path": path}
                "folders": [[name, path inside], ...]   `lower` is not the working folder itself, but holds these
    inside      path of the working folder inside
    disk_mb     size of the file system that holds everything the sandbox writes
    memory_mb, processes    limits
    group       {"name": of its control group, "memory_mb": of all it holds}; null for none
    environment, argv       of the command; "{socket}" in argv becomes the number of the listening socket

Every step runs in a process of its own, so nothing here is undone on failure: the process ends.
"""

import json
import os
import signal
import socket
import sys

import cgroup
import limits
import linux
import seccomp

_INSIDE_UID = 1000
_LISTEN_BACKLOG = 128
_SCRATCH_MB = 512
# A file takes about 1 KiB of the system's memory besides its content: for a MiB of disk there are 128 KiB of it at most.
_INODES_PER_MB = 128
# After the worker, its server and whatever else the machine is for.
_PRIORITY_STEPS = 1
# In this order: each exists on some machine where another does not. What it hides is opened before.
_STAGE_PLACES = ("/tmp", "/run", "/mnt", "/var/tmp")

_ETC = {
    "passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:{_INSIDE_UID}:{_INSIDE_UID}::/home/agent:/bin/sh\n"
    "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    "group": f"root:x:0:\nagent:x:{_INSIDE_UID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "gitconfig": "[user]\n\tname = agent\n\temail = agent@localhost\n[init]\n\tdefaultBranch = main\n"
    "[advice]\n\tdetachedHead = false\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n",
}


def run(spec, launcher, status_fd, error_fd, output_fd):
    """Never returns. Errors go to `error_fd` as one line, exit code 125."""
    try:
        if spec["folder"] is None:
            # A job is nobody's any more when its launcher is gone.
            _end_with(launcher)
        os.setsid()
        os.umask(0o022)
        _reset_signals()
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(output_fd if output_fd is not None else null, 1)
        os.dup2(error_fd, 2)
        _set_oom_score()
        linux.lower_priority(_PRIORITY_STEPS)
        planned = cgroup.plan(spec["group"]["name"]) if spec["group"] else []
        listener = _open_folder(spec["folder"], [group for group, _ in planned]) if spec["folder"] else None
        groups = cgroup.enter(planned, {**spec, **(spec["group"] or {})})
        # For who removes them when a job has ended, and tells what holds it to its limits.
        os.write(status_fd, json.dumps({"groups": groups}).encode() + b"\n")
        if spec["bwrap"] is None:
            _run_plainly(spec, listener, status_fd)
        _run_isolated(spec, launcher, listener, status_fd)
    except BaseException as error:  # noqa: BLE001 - the process ends either way; the launcher reads why
        os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
        os._exit(125)


def _end_with(parent):
    """SIGKILL when the parent ends, or has ended already. A change of uid undoes it."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(125)


def _open_folder(path, groups):
    """Leaves the launch record, so that a half-made sandbox can be killed, and binds the socket.

    `ended` is written by who destroys the sandbox, before it looks for the launch record: one of the two sees the
    other. The folder is entered rather than named, because a socket's path may have 107 bytes at most.
    """
    os.chdir(path)
    record = json.dumps({"pid": os.getpid(), "start": linux.process_start_time(os.getpid()), "groups": groups})
    descriptor = os.open("launch.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, record.encode())
    os.close(descriptor)
    # Of a folder that is being removed the record goes first, `ended` later.
    if os.path.exists("ended") or not os.path.exists("record.json"):
        raise RuntimeError("the sandbox was ended while it was started")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("k")
    listener.listen(_LISTEN_BACKLOG)
    os.chdir("/")
    return listener.detach()


def _reset_signals():
    """What is ignored here stays ignored across exec, and Python then installs no handler for SIGINT."""
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def _set_oom_score():
    """When memory runs out, sandboxes go before the worker."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("300")
    except OSError:
        pass


def _run_plainly(spec, listener, status_fd):
    workspace = spec["workspace"]
    if workspace["kind"] == "copy":
        _copy(workspace["lower"], spec["inside"])
    else:
        os.makedirs(spec["inside"], exist_ok=True)
    os.chdir(spec["inside"])
    # The sign of life that bubblewrap would give: from here on this process is the kernel.
    os.write(status_fd, f'{{"child-pid": {os.getpid()}}}\n'.encode())
    _keep_only([listener])
    _execute(spec["argv"], listener, spec["environment"])


def _run_isolated(spec, launcher, listener, status_fd):
    if spec["uid"] is not None:
        linux.unshare(linux.CLONE_NEWNS)
    else:
        _enter_user_namespace()
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    stage, read_only, writable, lower = _stage(spec)
    if spec["uid"] is not None:
        _become(spec["uid"])
        _enter_user_namespace()
    writable = _make_workspace(spec, stage, lower) + writable
    _forbid_user_namespaces()
    arguments = _bubblewrap_arguments(spec, stage, read_only, writable, status_fd)
    filter_fd = _filter_pipe()
    environment_fd = _environment_file(spec["environment"])
    arguments += ["--args", str(environment_fd), "--seccomp", str(filter_fd), "--"]
    arguments += _command(spec["argv"], listener)
    os.chdir("/")
    if spec["folder"] is None:
        _end_with(launcher)
        _become_first_process()
    _keep_only([descriptor for descriptor in (listener, status_fd, filter_fd, environment_fd) if descriptor is not None])
    limits.apply(spec["memory_mb"], spec["disk_mb"], spec["processes"])
    os.execve(spec["bwrap"], ["bwrap", *arguments], {})


def _become_first_process():
    """Continues as the first process of a PID namespace: when that ends, everything it has started ends with it.

    bubblewrap's `--die-with-parent` is not enough: when bubblewrap is killed while it sets up its child, that child waits
    for ever, or does its work all the same. The caller waits for the new process, and ends with its exit code.
    """
    linux.unshare(linux.CLONE_NEWPID)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        # From inside, nobody can be asked for the parent: it has ended when nobody holds the other end.
        os.set_blocking(read_end, False)
        try:
            os.read(read_end, 1)
            os._exit(125)
        except BlockingIOError:
            return
    _keep_only([write_end])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def _enter_user_namespace():
    """A user namespace of the sandbox's own, in which its mounts are made. One uid, no others."""
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_UID} {uid} 1"),
        ("gid_map", f"{_INSIDE_UID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _become(uid):
    """root inside a user namespace would still be the host's root: really change before entering one."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # A change of uid makes /proc/self root's, and the uid map could not be written.
    linux.prctl(linux.PR_SET_DUMPABLE, 1)


def _stage(spec):
    """Brings all that the sandbox will see under one folder that its uid can reach.

    The paths themselves may lie below folders that only the worker can enter; so each is opened first, by the
    worker's uid, in the new mount namespace, and mounted through its descriptor.
    """
    read_only = [(os.open(source, os.O_PATH), source, inside) for source, inside in spec["read_only"]]
    writable = [(os.open(source, os.O_PATH), source, inside) for source, inside in spec["writable"]]
    workspace = spec["workspace"]
    lower = os.open(workspace["lower"], os.O_PATH) if "lower" in workspace else None
    if workspace["kind"] == "bind":
        writable.append((os.open(workspace["path"], os.O_PATH), workspace["path"], spec["inside"]))

    stage = next(place for place in _STAGE_PLACES if os.path.isdir(place))
    linux.mount("tmpfs", stage, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    for name in ("data", "scratch", "workspace", "lower"):
        os.mkdir(f"{stage}/{name}")
    if lower is not None:
        _bind(lower, f"{stage}/lower", True)
    staged = [
        [
            (_bind_staged(descriptor, source, f"{stage}/{kind}{place}"), inside)
            for place, (descriptor, source, inside) in enumerate(entries)
        ]
        for kind, entries in (("r", read_only), ("w", writable))
    ]
    return stage, staged[0], staged[1], f"{stage}/lower" if lower is not None else None


def _bind_staged(descriptor, source, target):
    """Directories of the system are reachable for everyone; only what may not be is mounted on the stage."""
    if source.startswith(("/usr/", "/etc/")) or source in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        return source
    is_directory = os.path.isdir(f"/proc/self/fd/{descriptor}")
    if is_directory:
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o644))
    _bind(descriptor, target, is_directory)
    return target


def _bind(descriptor, target, recursive):
    flags = linux.MS_BIND | (linux.MS_REC if recursive else 0)
    linux.mount(f"/proc/self/fd/{descriptor}", target, None, flags)


def _make_workspace(spec, stage, lower):
    """One tmpfs of limited size holds all that the sandbox writes: a quota, and nothing to delete afterwards."""
    data = f"{stage}/data"
    inodes = spec["disk_mb"] * _INODES_PER_MB
    linux.mount(
        "tmpfs", data, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"size={spec['disk_mb']}m,nr_inodes={inodes},mode=755"
    )
    for name in ("home", "tmp", "shm", "etc", "work"):
        os.mkdir(f"{data}/{name}")
    # Apart from the rest, so that the patch can be taken from a sandbox that has filled its disk.
    scratch = f"size={_SCRATCH_MB}m,nr_inodes={_SCRATCH_MB * _INODES_PER_MB},mode=755"
    linux.mount("tmpfs", f"{stage}/scratch", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, scratch)
    os.chmod(f"{data}/tmp", 0o1777)
    os.chmod(f"{data}/shm", 0o1777)
    for name, text in _ETC.items():
        with open(f"{data}/etc/{name}", "w") as file:
            file.write(text)
    if spec["workspace"]["kind"] == "bind":
        return []
    place = _make_clone(spec["workspace"]["kind"], stage, lower)
    folders = spec["workspace"].get("folders")
    return [(place, spec["inside"])] if folders is None else [(f"{place}/{name}", inside) for name, inside in folders]


def _make_clone(kind, stage, lower):
    data = f"{stage}/data"
    if kind == "overlay":
        os.mkdir(f"{data}/upper")
        layers = f"lowerdir={lower},upperdir={data}/upper,workdir={data}/work,userxattr"
        linux.mount("overlay", f"{stage}/workspace", "overlay", linux.MS_NOSUID | linux.MS_NODEV, layers)
        return f"{stage}/workspace"
    os.mkdir(f"{data}/workspace")
    if kind == "copy":
        _copy(f"{lower}/.", f"{data}/workspace")
    return f"{data}/workspace"


def _copy(source, target):
    child = os.fork()
    if child == 0:
        os.execve("/bin/cp", ["cp", "-a", "--reflink=auto", "--", source, target], {"PATH": "/usr/bin:/bin"})
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError("the base checkout could not be copied")


def _forbid_user_namespaces():
    """The two that bubblewrap makes inside ours are the last. (Its own `--disable-userns` needs version 0.8.)"""
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("2")


def _filter_pipe():
    read_end, write_end = os.pipe()
    os.write(write_end, seccomp.program())
    os.close(write_end)
    return read_end


def _environment_file(environment):
    """Arguments for bubblewrap that no other user may read, as they may those of its command line: setup_env holds keys."""
    arguments = ["--clearenv"]
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    descriptor = os.memfd_create("environment")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(b"".join(os.fsencode(argument) + b"\0" for argument in arguments))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _bubblewrap_arguments(spec, stage, read_only, writable, status_fd):
    data = f"{stage}/data"
    arguments = ["--unshare-user", "--uid", str(_INSIDE_UID), "--gid", str(_INSIDE_UID)]
    arguments += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"]
    if spec["folder"] is None:
        # What `_become_first_process` asked for is undone where bubblewrap changes its own privileges.
        arguments += ["--die-with-parent"]
    arguments += ["--hostname", "sandbox", "--as-pid-1", "--cap-drop", "ALL", "--json-status-fd", str(status_fd)]
    for target, inside in spec["symlinks"]:
        arguments += ["--symlink", target, inside]
    for name in _ETC:
        arguments += ["--ro-bind", f"{data}/etc/{name}", f"/etc/{name}"]
    for source, inside in read_only:
        arguments += ["--ro-bind", source, inside]
    # Both of bubblewrap's own file systems, / and /dev, are writable and have no limit of size: closed at the end.
    arguments += ["--proc", "/proc", "--dev", "/dev", "--bind", f"{data}/shm", "/dev/shm", "--remount-ro", "/dev"]
    arguments += ["--bind", f"{data}/tmp", "/tmp", "--bind", f"{data}/home", "/home/agent"]
    arguments += ["--bind", f"{stage}/scratch", "/run/rlm/scratch"]
    if spec["workspace"]["kind"] == "overlay":
        # What differs from the checkout: who asks whether anything does need not look at every file.
        arguments += ["--ro-bind", f"{data}/upper", "/run/rlm/changes"]
    arguments += ["--symlink", "../tmp", "/var/tmp"]
    for source, inside in writable:
        arguments += ["--bind", source, inside]
    return [*arguments, "--remount-ro", "/", "--chdir", spec["inside"]]


def _command(argv, listener):
    return [str(listener) if argument == "{socket}" else argument for argument in argv]


def _execute(argv, listener, environment):
    command = _command(argv, listener)
    os.execve(command[0], command, environment)


def _keep_only(descriptors):
    """Closes every descriptor but the standard ones and these, which the next program inherits."""
    kept = set(descriptors)
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor in kept:
            os.set_inheritable(descriptor, True)
        elif descriptor > 2:
            try:
                os.close(descriptor)
            except OSError:
                pass  # The one that read the folder.


if sys.version_info < (3, 9):  # pragma: no cover - said once, clearly, instead of a syntax error later
    raise SystemExit("Python 3.9 or newer is needed")

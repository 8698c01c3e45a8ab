"""Makes a machine that another user started into a sandbox of ours; run there, by its own Python.

    python prepare.py FOLDER PORT

FOLDER was uploaded and goes when it has been read: parts.json.gz (the kernel's sources, what was compiled of them
elsewhere, the checkout program) and spec.json, perhaps a bundle of the repository.

The port of the kernel is bound first and is the lock: a second attempt finds it taken and leaves everything to the
first. Who connects meanwhile waits until the kernel, which inherits the socket, answers.
"""

import base64
import errno
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys

REPOSITORY_MISSING = 3
REPOSITORY_UNREACHABLE = 4
USED = 5
UNSUITABLE = 6
SETUP = 7

OLDEST = (3, 9)
_SETTINGS = ("http.lowSpeedLimit=1000", "http.lowSpeedTime=30", "gc.auto=0", "core.hooksPath=/dev/null")


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def main(folder, port):
    if sys.version_info < OLDEST:
        raise Failure(UNSUITABLE, "Python %d.%d is too old: 3.9 or newer is needed" % sys.version_info[:2])
    listener = _bind(port)
    if listener is None:
        return
    with open(os.path.join(folder, "spec.json"), encoding="utf-8") as file:
        spec = json.load(file)
    os.environ.setdefault("HOME", os.path.expanduser("~"))
    state = os.path.join(os.environ["HOME"], ".durable-rlm")
    if os.path.exists(os.path.join(state, "started")):
        raise Failure(USED, "its kernel has run before and has ended")
    shutil.rmtree(state, ignore_errors=True)
    os.makedirs(state, 0o700)
    try:
        parts = _write_parts(folder, state)
        workspace = _make_workspace(spec["workspaces"])
        ready = {"python": sys.executable, "kernel": _build_kernel(state, parts), "workspace": workspace}
        served = (ready["python"], ready["kernel"], {})
        if spec.get("commit"):
            ready.update(_check_out(spec, folder, state, workspace, parts["checkout"]))
        _introduce()
        if spec.get("setup"):
            served = _set_up(spec, ready, state)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _write(os.path.join(state, "ready.json"), json.dumps(ready))
    _write(os.path.join(state, "started"), "")
    _start(listener, spec, ready, served, state)


def _bind(port):
    """None when another process took it first."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Accepted connections inherit it; without, small replies wait 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))
        listener.listen(128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return listener


def _write_parts(folder, state):
    with gzip.open(os.path.join(folder, "parts.json.gz"), "rt", encoding="utf-8") as file:
        parts = json.load(file)
    sources = os.path.join(state, "rlm_kernel")
    os.makedirs(sources)
    for name, text in parts["sources"].items():
        _write(os.path.join(sources, name), text)
    for name, content in parts["compiled"].items():
        with open(os.path.join(state, name), "wb") as file:
            file.write(base64.b64decode(content))
    return parts


def _build_kernel(state, parts):
    """Takes what was compiled elsewhere if it was by the same Python: its name tells."""
    bundle = {"__name__": "bundle", "__file__": os.path.join(state, "rlm_kernel", "bundle.py")}
    exec(compile(parts["sources"]["bundle.py"], "bundle.py", "exec"), bundle)
    return bundle["build"](state)


def _make_workspace(candidates):
    complaints = []
    for candidate in candidates:
        path = os.path.expanduser(candidate)
        try:
            _own_folder(path)
            _empty(path)
            return os.path.realpath(path)
        except (OSError, subprocess.SubprocessError) as error:
            complaints.append(str(error))
    raise Failure(1, "no folder to work in: " + "; ".join(complaints))


def _own_folder(path):
    try:
        os.makedirs(path, exist_ok=True)
    except PermissionError:
        owner = "%d:%d" % (os.getuid(), os.getgid())
        for command in (["mkdir", "-p", path], ["chown", owner, path]):
            subprocess.run(["sudo", "-n", *command], check=True, capture_output=True, timeout=20)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "not ours", path)


def _empty(path):
    """Left by an attempt that did not come to its end."""
    for entry in list(os.scandir(path)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _check_out(spec, folder, state, workspace, program):
    repository = os.path.join(state, "repository.git")
    try:
        _git("init", "--quiet", "--bare", "--template=", repository)
    except FileNotFoundError:
        raise Failure(UNSUITABLE, "git is not installed in it") from None
    commit = spec["commit"]
    if "bundle" in spec:
        _fetch_bundle(repository, os.path.join(folder, spec["bundle"]))
    else:
        _fetch_url(repository, spec["url"], commit)
    if _run(repository, "cat-file", "-e", commit + "^{commit}").returncode != 0:
        raise Failure(REPOSITORY_MISSING, "there is no commit " + commit)
    base = os.path.join(state, "base")
    os.makedirs(base)
    os.symlink(workspace, os.path.join(base, "tree"))
    objects = os.path.join(repository, "objects")
    arguments = ["--into", base, "--objects", objects, "--commit", commit]
    shallow = os.path.join(repository, "shallow")
    if os.path.exists(shallow):
        arguments += ["--shallow", shallow]
    checkout = {"__name__": "checkout"}
    exec(compile(program, "checkout.py", "exec"), checkout)
    try:
        checkout["main"](arguments)
    except subprocess.CalledProcessError as error:
        raise Failure(1, "commit %s could not be checked out: %s" % (commit, error)) from None
    return {"objects": objects, "index": os.path.join(base, "index")}


def _fetch_bundle(repository, bundle):
    """A shallow one names the commits its history ends at as references; git must know them before it fetches."""
    heads = _git("bundle", "list-heads", bundle, at=repository).stdout.decode().splitlines()
    ends = [line.split(" ")[0] for line in heads if " refs/shallow/" in line]
    if ends:
        _write(os.path.join(repository, "shallow"), "\n".join(ends) + "\n")
    _git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", bundle, "+refs/*:refs/rlm/bundle/*", at=repository)


def _fetch_url(repository, url, commit):
    """The commit alone where the server gives it out by name, else all branches."""
    fetch = ["fetch", "--quiet", "--no-write-fetch-head"]
    one = _run(repository, *fetch, "--depth", "1", "--no-tags", "--", url, "+%s:refs/rlm/base" % commit, far=True)
    if one.returncode == 0:
        return
    everything = ["+refs/heads/*:refs/rlm/heads/*", "+refs/tags/*:refs/tags/*"]
    rest = _run(repository, *fetch, "--", url, *everything, far=True)
    if rest.returncode != 0:
        raise Failure(REPOSITORY_UNREACHABLE, _complaint(rest))


def _git(*arguments, at=None):
    ended = _run(at, *arguments)
    if ended.returncode != 0:
        raise Failure(1, "git %s: %s" % (arguments[0], _complaint(ended)))
    return ended


def _run(repository, *arguments, far=False):
    protocols = "https:http:git" if far else "file"
    environment = dict(os.environ, GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=protocols, LC_ALL="C")
    if repository:
        environment["GIT_DIR"] = repository
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return subprocess.run(
        ["git", *settings, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


def _complaint(ended):
    return ended.stderr.decode("utf-8", "backslashreplace").strip()[-1500:] or "exit code %d" % ended.returncode


def _set_up(spec, ready, state):
    """Runs the setup's commands, takes down what they did, and returns what the kernel is to run on."""
    setup = _placed(spec["setup"], {"python": sys.executable, "workspace": ready["workspace"], "home": os.environ["HOME"]})
    python, variables = setup["python"], dict(setup["later"])
    variables["PATH"] = os.pathsep.join([os.path.dirname(python), os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")])
    kernel = [sys.executable, "-I", "-S", ready["kernel"]]
    environment = {**os.environ, **setup["environment"], **setup["variables"], **variables}
    ended = _command([*kernel, *setup["arguments"]], environment)
    report = _last_line(ended.stdout)
    if ended.returncode != 0 or report.get("failed", 0) is not None:
        raise Failure(SETUP, json.dumps({"report": report, "complaint": _complaint(ended)}))
    baseline = os.path.join(state, "baseline")
    os.makedirs(baseline)
    paths = ["--workspace", ready["workspace"], "--objects", ready["objects"], "--index", ready["index"]]
    ended = _command([*kernel, "baseline", "--commit", spec["commit"], *paths, "--into", baseline], os.environ)
    if ended.returncode != 0:
        raise Failure(1, "what the setup did cannot be told from the commit: " + _complaint(ended))
    ready["setup"] = baseline
    if not setup["own"]:
        return python, ready["kernel"], variables
    ended = _command([python, "-I", os.path.join(state, "rlm_kernel", "bundle.py"), state], os.environ)
    if ended.returncode != 0:
        raise Failure(UNSUITABLE, "the Python that the setup made cannot run the kernel: " + _complaint(ended))
    return python, ended.stdout.decode().strip(), variables


def _placed(value, places):
    """The paths of this machine in the place of their names."""
    if isinstance(value, str):
        for name, path in places.items():
            value = value.replace("/@rlm-%s@" % name, path)
        return value
    if isinstance(value, dict):
        return {name: _placed(inner, places) for name, inner in value.items()}
    return [_placed(inner, places) for inner in value] if isinstance(value, list) else value


def _command(arguments, environment):
    return subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _last_line(output):
    try:
        report = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return report if isinstance(report, dict) else {}


def _introduce():
    """A name for commits, where the machine has none."""
    path = os.path.join(os.environ["HOME"], ".gitconfig")
    if not os.path.exists(path):
        _write(path, "[user]\n\tname = agent\n\temail = agent@localhost\n")


def _start(listener, spec, ready, served, state):
    """The kernel, in a session of its own, so that it depends on nobody."""
    descriptor = listener.fileno()
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    os.chdir(ready["workspace"])
    log = os.open(os.path.join(state, "kernel.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # What the shell handed down: a reader of the other end would wait for them.
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 1024)
    os.set_inheritable(descriptor, True)
    python, kernel, variables = served
    flags = ["-P", "-s"] if _minor_version(kernel) >= 11 else ["-s"]
    limits = ["--idle-timeout", str(spec["idle_timeout"]), "--memory-mb", str(spec["memory_mb"])]
    serving = ["serve", "--fd", str(descriptor), "--generation", str(spec["generation"]), *limits]
    environment = dict(os.environ, PYTHONHASHSEED="0", **variables)
    os.execve(python, [python, *flags, kernel, *serving], environment)


def _minor_version(kernel):
    """Of the Python that the archive was made for, which its name tells."""
    return int(os.path.basename(kernel).split("-")[1].split(".")[1])


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except Failure as failure:
        print(failure, file=sys.stderr)
        sys.exit(failure.code)

"""A three-way merge of a patch into a working tree."""

import os
import re
import stat
import subprocess

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tlooseCompression = 0\n[gc]\n\tauto = 0\n"
_MARKER = 47
_CONFLICT = re.compile(
    rb"^<{%(n)d} ours\n(?P<ours>.*?)^\|{%(n)d} base\n(?P<base>.*?)^={%(n)d}\n(?P<theirs>.*?)^>{%(n)d} theirs\n" % {b"n": _MARKER},
    re.DOTALL | re.MULTILINE,
)


class Merge:
    """A repository of its own beside the clone, which lends its objects: the clone's index and history stay as they are."""

    def __init__(self, folder):
        self.folder = folder
        here = self._ask("rev-parse", "--show-toplevel", "--git-path", "objects")
        self.root, objects = (os.fsencode(os.path.abspath(os.fsdecode(line))) for line in here.splitlines())
        for name in ("objects/info", "objects/pack", "refs/heads", "info"):
            os.makedirs(os.path.join(folder, name))
        files = {"HEAD": b"ref: refs/heads/none\n", "config": _CONFIG.encode(), "objects/info/alternates": objects + b"\n"}
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)

    def _ask(self, *arguments):
        ended = subprocess.run(["git", *arguments], capture_output=True, check=False)
        if ended.returncode != 0:
            raise OSError("apply_patch: there is no git repository here to merge into")
        return ended.stdout

    def _run(self, *arguments, text=b""):
        environment = {**os.environ, "GIT_DIR": self.folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
        environment.pop("GIT_INDEX_FILE", None)
        environment.pop("GIT_WORK_TREE", None)
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, input=text, capture_output=True, check=False
        )

    def _git(self, *arguments, text=b"", codes=(0,)):
        ended = self._run(*arguments, text=text)
        if ended.returncode not in codes:
            complaint = ended.stderr.decode("utf-8", "backslashreplace").strip()
            raise ValueError("apply_patch: the patch cannot be read: %s" % (complaint or "git ended with an error"))
        return ended.stdout

    def take_in(self, changes, patch):
        """Makes both sides of the patch objects here."""
        lines = []
        for change in changes:
            if change.old_mode is None:
                continue
            if change.old_object is None and change.new_object is None:
                # Only the mode: whatever the file here holds stays.
                change.old_object = self._store((self._here(change.path) or (None, b""))[1])
            if change.old_object is None:
                raise ValueError("apply_patch: the patch has no whole object names; make it with git diff --full-index --binary")
            if not self._has(change.old_object):
                self._lend(change)
            lines.append(change.old_mode + b" " + change.old_object + b"\t" + change.path)
        self._git("update-index", "-z", "--index-info", text=b"".join(line + b"\0" for line in lines))
        self._git("apply", "--cached", "--whitespace=nowarn", "-", text=patch)
        self.theirs = {}
        for line in self._git("ls-files", "-z", "--stage").split(b"\0")[:-1]:
            described, path = line.split(b"\t", 1)
            mode, name, _ = described.split(b" ")
            self.theirs[path] = (mode, name)

    def _has(self, name):
        return self._run("cat-file", "-e", name.decode()).returncode == 0

    def _lend(self, change):
        """What a setup made is in no commit: the file here may be it."""
        here = self._here(change.path)
        if here is None or here[0] == b"040000" or self._store(here[1]) != change.old_object:
            raise ValueError("apply_patch: the version of %s that the patch began with is not known here" % shown(change.path))

    def _store(self, content):
        return self._git("hash-object", "-w", "--stdin", text=content).strip()

    def _blob(self, entry):
        return None if entry is None else (entry[0], self._git("cat-file", "blob", entry[1].decode()))

    def _here(self, path):
        """(mode, content) of the file here; None without one; mode 040000 for what is in its way."""
        parts = path.split(b"/")
        for count in range(1, len(parts)):
            try:
                if not stat.S_ISDIR(os.lstat(os.path.join(self.root, *parts[:count])).st_mode):
                    return b"040000", b""
            except FileNotFoundError:
                return None
        full = os.path.join(self.root, path)
        try:
            status = os.lstat(full)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            return b"120000", os.readlink(full)
        if not stat.S_ISREG(status.st_mode):
            return b"040000", b""
        with open(full, "rb") as file:
            return (b"100755" if status.st_mode & 0o100 else b"100644"), file.read()

    def file(self, change):
        """What becomes of one file: (path, entry) to be written, None where nothing is, or a conflict."""
        base = self._blob(None if change.old_mode is None else (change.old_mode, change.old_object))
        theirs = self._blob(self.theirs.get(change.path))
        ours = self._here(change.path)
        if ours == theirs:
            return None
        if ours == base:
            return change.path, theirs
        if ours is not None and ours[0] == b"040000":
            return _conflict(change, "something that is no file is in its place here")
        if base is None:
            return _conflict(change, "added here and there, with different contents")
        if ours is None:
            return _conflict(change, "deleted here, changed there")
        if theirs is None:
            return _conflict(change, "changed here, deleted there")
        return self._merged(change, ours, base, theirs)

    def _merged(self, change, ours, base, theirs):
        mode = theirs[0] if ours[0] == base[0] else ours[0]
        if ours[1] == base[1] or theirs[1] == base[1] or ours[1] == theirs[1]:
            return change.path, (mode, theirs[1] if ours[1] == base[1] else ours[1])
        if any(side[0] == b"120000" or b"\0" in side[1] for side in (ours, base, theirs)):
            return _conflict(change, "changed here and there, and not text")
        names = [os.path.join(self.folder, name) for name in ("ours", "base", "theirs")]
        for name, (_, content) in zip(names, (ours, base, theirs)):
            with open(name, "wb") as file:
                file.write(content)
        labels = ["-L", "ours", "-L", "base", "-L", "theirs"]
        merge = ["merge-file", "-p", "--diff3", "--marker-size=%d" % _MARKER, *labels, *names]
        merged = self._git(*merge, codes=range(128))
        hunks = _hunks(merged)
        if hunks:
            return {**_conflict(change, "changed here and there in the same lines"), "hunks": hunks}
        return change.path, (mode, merged)

    def write(self, writes):
        """First what may fail is made ready beside its place; then each takes its place at once."""
        ready = []
        try:
            for path, entry in writes:
                full = os.path.join(self.root, path)
                if entry is not None:
                    os.makedirs(os.path.dirname(full), exist_ok=True)
                    ready.append((_beside(full, entry), full))
        except OSError:
            for temporary, _ in ready:
                os.unlink(temporary)
            raise
        for temporary, full in ready:
            os.replace(temporary, full)
        for path, entry in writes:
            if entry is None:
                self._delete(path)

    def _delete(self, path):
        os.unlink(os.path.join(self.root, path))
        folder = os.path.dirname(path)
        while folder:
            try:
                os.rmdir(os.path.join(self.root, folder))
            except OSError:
                return
            folder = os.path.dirname(folder)


def _beside(full, entry):
    mode, content = entry
    temporary = full + b"." + os.urandom(4).hex().encode() + b".merge"
    if mode == b"120000":
        os.symlink(content, temporary)
        return temporary
    with open(temporary, "xb") as file:
        file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(file.fileno(), (0o777 if mode == b"100755" else 0o666) & ~umask)
    return temporary


def _conflict(change, reason):
    return {"path": shown(change.path), "reason": reason, "hunks": []}


def _hunks(merged):
    """The conflicts of a merged text; `line` is where one begins in the file here, from 1."""
    hunks, at, line = [], 0, 1
    for found in _CONFLICT.finditer(merged):
        line += merged.count(b"\n", at, found.start())
        sides = {name: found.group(name).decode("utf-8", "surrogateescape") for name in ("ours", "base", "theirs")}
        hunks.append({"line": line, **sides})
        line += found.group("ours").count(b"\n")
        at = found.end()
    return hunks


def shown(path):
    return path.decode("utf-8", "surrogateescape")

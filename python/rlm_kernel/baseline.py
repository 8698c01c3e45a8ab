"""What `sandbox.setup` did to the tree, so that it stays out of the patches of those who begin with it.

    kernel baseline --workspace FOLDER --commit ID --objects FOLDER --index FILE --into FOLDER

Run once, after the setup; `into` must be empty, and is given to `kernel patch --setup FOLDER` later. It holds

    index, objects   the tree as the setup left it, as git sees it
    ignored          size, date and name of every file that git ignores, each ended by a zero byte
    notes            what could not be looked at, as JSON
"""

import ctypes
import json
import os
import tempfile
from time import sleep

from rlm_kernel.patch import Git, Walk, parse, shown

_ABSENT = b"000000"
_REGULAR = (b"100644", b"100755")
_SPECIAL = b"\\*?[!# "
_ONE_TICK = 1.1


def main(arguments):
    options = parse(arguments)
    # git counts whole seconds: an entry as young as the index would be read again at every look.
    sleep(_ONE_TICK)
    git = Git(options["into"], options)
    base = git.index_entries()
    _hide_from_status(git, options["workspace"])
    walk = Walk(options["workspace"], base, options["limit"])
    notes = walk.notes + git.add(walk.left_out) + git.forget_repositories(base)
    with open(os.path.join(options["into"], "ignored"), "wb") as file:
        for path in git.ignored():
            described = _description(options["workspace"], path)
            if described is not None:
                file.write(described + b"\0")
    with open(os.path.join(options["into"], "notes"), "w") as file:
        json.dump(notes, file)
    _write_to_disk(options["into"])
    return 0


def _hide_from_status(git, workspace):
    """What the setup added is not the agent's to commit."""
    paths = git.run("ls-files", "-z", "--others", "--exclude-standard", "--directory").stdout.split(b"\0")[:-1]
    lines = [b"/" + _escaped(path) + b"\n" for path in paths if b"\n" not in path]
    try:
        with open(os.path.join(workspace, ".git", "info", "exclude"), "ab") as file:
            file.write(b"".join(lines))
    except OSError:
        pass  # The setup has done away with it.


def _escaped(path):
    return b"".join(b"\\" + bytes([byte]) if byte in _SPECIAL else bytes([byte]) for byte in path)


def _description(workspace, path):
    try:
        status = os.lstat(os.path.join(os.fsencode(workspace), path))
    except OSError:
        return None
    return b"%d %d " % (status.st_size, status.st_mtime_ns) + path


def _write_to_disk(folder):
    """It is used for good once it is there: also after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)


class Baseline:
    """Takes out of an index what the setup did: every path that is as the setup left it becomes the commit's again."""

    def __init__(self, folder, workspace):
        self._folder = folder
        self._workspace = workspace
        with open(os.path.join(folder, "notes")) as file:
            self._notes = set(json.load(file))

    def news(self, notes):
        """Notes that were not to be made before the agent began."""
        return [note for note in notes if note not in self._notes]

    def forget(self, git, base, layer):
        """`layer`: entries as the setup left them. Returns notes."""
        restored, replaced, notes = [], {}, []
        added = []
        for path, now in git.changed().items():
            before, original = layer.get(path), base.get(path)
            if now[0] == _ABSENT:
                now = None
            if now == before:
                restored.append(path)
            elif original is None:
                added.append(path)
            elif now and before and before != original:
                entry, mixed = self._without(git, original, before, now)
                if entry != now:
                    replaced[path] = entry
                if mixed:
                    notes.append("%s: what sandbox.setup changed in it is in the patch too" % shown(path))
        git.restore(restored + self._untouched(added), base)
        git.restore(list(replaced), replaced)
        return notes

    def _without(self, git, original, before, now):
        """The entry of a file that both changed with the agent's changes only; true where they are inseparable."""
        mode = original[0] if now[0] == before[0] else now[0]
        if now[1] == before[1]:
            return (mode, original[1]), False
        if before[1] == original[1]:
            return (mode, now[1]), False
        if not all(entry[0] in _REGULAR for entry in (original, before, now)):
            return now, True
        merged = self._merged(git, original[1], before[1], now[1])
        return (now, True) if merged is None else ((mode, merged), False)

    def _merged(self, git, original, before, now):
        """Object with the change from `before` to `now` made to `original`; None where that is not clear."""
        with tempfile.TemporaryDirectory(dir=git.folder) as folder:
            names = []
            for name, blob in (("original", original), ("before", before), ("now", now)):
                names.append(os.path.join(folder, name))
                with open(names[-1], "wb") as file:
                    file.write(git.run("cat-file", "blob", os.fsdecode(blob)).stdout)
            ended = git.run("merge-file", "-p", "-q", *names, codes=range(256))
            if ended.returncode != 0:
                return None
            return git.run("hash-object", "-w", "--stdin", text=ended.stdout).stdout.strip()

    def _untouched(self, paths):
        """Of files that the commit does not have: those that git ignored when the setup had made them, and are as it
        left them. (An agent may have changed what is ignored.)"""
        if not paths:
            return []
        with open(os.path.join(self._folder, "ignored"), "rb") as file:
            made = set(file.read().split(b"\0"))
        return [path for path in paths if _description(self._workspace, path) in made]

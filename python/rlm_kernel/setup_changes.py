"""Takes out of a patch what `sandbox.setup` did to the tree, as `kernel baseline` recorded it."""

import json
import os
import tempfile

_LONGEST = 300
_ABSENT = b"000000"
_REGULAR = (b"100644", b"100755")


def shown(path):
    """A path as text for a note."""
    text = shorten(path.decode("utf-8", "backslashreplace"))
    return text if text.isprintable() else json.dumps(text)


def shorten(text):
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + "..." + text[-_LONGEST // 2 :]


def describe(workspace, path):
    """Size, date and name of a file; None where it cannot be looked at."""
    try:
        status = os.lstat(os.path.join(os.fsencode(workspace), path))
    except OSError:
        return None
    return b"%d %d " % (status.st_size, status.st_mtime_ns) + path


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
        return [path for path in paths if describe(self._workspace, path) in made]

"""What a patch of git's changes, read from its headers."""

import re

_ESCAPED = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)
_LETTERS = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}
_NONE = re.compile(rb"0+")


class FileChange:
    """One file of a patch; a mode or an object is None where there is no file on that side."""

    def __init__(self, path):
        self.path = path
        self.old_mode = self.new_mode = self.old_object = self.new_object = None


def patch_files(patch):
    """The files of a patch with whole object names and without renames, as this project takes them."""
    changes, inside = [], False
    for line in patch.encode("utf-8", "surrogateescape").split(b"\n"):
        if line.startswith(b"diff --git "):
            changes.append(FileChange(_path(line[len(b"diff --git ") :])))
            inside = True
        elif line.startswith((b"@@ ", b"GIT binary patch", b"--- ")):
            inside = False
        elif inside:
            _read_header(changes[-1], line)
    return changes


def _read_header(change, line):
    for start, field in ((b"old mode ", "old_mode"), (b"new mode ", "new_mode")):
        if line.startswith(start):
            setattr(change, field, line[len(start) :])
    if line.startswith(b"new file mode "):
        change.new_mode = line[14:]
    elif line.startswith(b"deleted file mode "):
        change.old_mode = line[18:]
    elif line.startswith(b"index "):
        names, _, mode = line[6:].partition(b" ")
        old, _, new = names.partition(b"..")
        change.old_object = None if _NONE.fullmatch(old) else old
        change.new_object = None if _NONE.fullmatch(new) else new
        if mode:
            change.old_mode = change.new_mode = mode


def _path(names):
    """`a/x b/x`, each quoted as in C where it has to be; both are one path."""
    if names.startswith(b'"'):
        end = 1
        while names[end : end + 1] != b'"':
            end += 2 if names[end : end + 1] == b"\\" else 1
            if end >= len(names):
                raise ValueError("this is not a patch of git's: a name in it does not end")
        return _ESCAPED.sub(_unescape, names[1:end])[2:]
    return names[2 : (len(names) - 1) // 2]


def _unescape(match):
    what = match.group(1)
    code = int(what, 8) if len(what) == 3 else _LETTERS.get(what)
    if code is None:
        raise ValueError("this is not a patch of git's: a name in it has an unknown escape")
    return bytes([code])

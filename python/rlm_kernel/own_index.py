"""What the repository in the tree tracks: `git add -f` and commits take in files that .gitignore names.

Its index is copied and read with our repository: of the other's configuration nothing counts, and of its index only
the paths. Whatever is wrong with it costs no more than these files.
"""

import hashlib
import os
import re
import stat

from rlm_kernel.misleading_names import is_misleading

_MOST_BYTES = 256 << 20
_MOST_NAME_BYTES = 4096
_FILES = (b"100644", b"100755", b"120000")
_SHARED = re.compile(rb"sharedindex\.[0-9a-f]{40}")
_UNREADABLE = (
    "the index of the repository in the tree cannot be read (%s): files that .gitignore names are not in the patch, "
    "also where they were added with git add -f"
)


def tracked_files(git, workspace, known):
    """Files of the tree that its own index has and `known` has not: path -> mode. And notes."""
    workspace = os.fsencode(workspace)
    try:
        names = _copy_index(_repository(workspace), os.fsencode(git.folder))
        entries = {} if names is None else git.entries_of_index(os.fsdecode(names))
    except Exception as error:
        return {}, [_UNREADABLE % error]
    tree = _Tree(workspace)
    found = {}
    for path, (mode, _) in entries.items():
        if mode in _FILES and path not in known and not is_misleading(path) and tree.has_file(path):
            found[path] = mode
    return found, []


def _repository(workspace):
    place = os.path.join(workspace, b".git")
    if os.path.isdir(place):
        return place
    text = _read(place, _MOST_NAME_BYTES) or b""
    return os.path.join(workspace, text[len(b"gitdir: ") :].rstrip(b"\n")) if text.startswith(b"gitdir: ") else place


def _copy_index(repository, folder):
    """The path of the copy; None where there is none. A split index lies in several files."""
    content = _read(os.path.join(repository, b"index"), _MOST_BYTES)
    if content is None:
        return None
    # git does not look at it; all zeros where `index.skipHash` is set.
    if content[-20:] not in (hashlib.sha1(content[:-20]).digest(), bytes(20)):
        raise OSError("it is damaged")
    for name in os.listdir(repository):
        if _SHARED.fullmatch(name):
            _write(os.path.join(folder, name), _read(os.path.join(repository, name), _MOST_BYTES) or b"")
    copy = os.path.join(folder, b"own-index")
    _write(copy, content)
    return copy


def _read(path, most):
    """None where there is no file."""
    try:
        # A pipe would keep its reader waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("%s is no file" % os.fsdecode(path))
        if status.st_size > most:
            raise OSError("%s has more than %d bytes" % (os.fsdecode(path), most))
        return file.read(most)


def _write(path, content):
    with open(path, "wb") as file:
        file.write(content)


class _Tree:
    """Answers from the disk, each folder looked at once."""

    def __init__(self, top):
        self._top = top
        self._folders = {b"": True}

    def has_file(self, path):
        """A file or symbolic link, and not beyond a symbolic link."""
        mode = self._mode(path)
        return (stat.S_ISREG(mode) or stat.S_ISLNK(mode)) and self._has_folder(path.rpartition(b"/")[0])

    def _has_folder(self, path):
        unknown = []
        while path not in self._folders:
            unknown.append(path)
            path = path.rpartition(b"/")[0]
        answer = self._folders[path]
        for each in reversed(unknown):
            answer = answer and stat.S_ISDIR(self._mode(each))
            self._folders[each] = answer
        return answer

    def _mode(self, path):
        try:
            return os.lstat(os.path.join(self._top, path)).st_mode
        except OSError:
            return 0

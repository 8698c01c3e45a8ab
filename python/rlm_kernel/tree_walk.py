"""A look at the tree before git's."""

import os
import stat

from rlm_kernel.patch_repository import GITLINK
from rlm_kernel.setup_changes import shown

# git reads these wherever it finds them.
_READ_BY_GIT = (b".gitignore", b".gitattributes")
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class Walk:
    """What git must leave out, and what it would leave out without a word."""

    def __init__(self, workspace, base, limit):
        self._limit = limit
        self.skipped = []
        self.notes = []
        self._submodules = {path for path, (mode, _) in base.items() if mode == GITLINK}
        self._tracked_folders = _folders_of(base)
        self._folders = [(os.fsencode(workspace), b"")]
        while self._folders:
            self._walk(*self._folders.pop())

    def _walk(self, folder, prefix):
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            note = "%s cannot be read (%s): changes in it are not in the patch"
            self.notes.append(note % (shown(prefix), error.strerror))
            return
        for entry in entries:
            path = prefix + entry.name
            if entry.name.lower() == b".git":
                continue
            if entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                self._visit(entry.path, path)
                continue
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                self._name_special(entry, path, status)
            elif status.st_size > self._limit:
                self.skipped.append(path)
                self.notes.append("%s is too large: left out of the patch" % shown(path))

    def _name_special(self, entry, path, status):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
        self.notes.append("%s is %s: left out of the patch" % (shown(path), kind))
        if entry.name in _READ_BY_GIT:
            # git would wait for ever for what it says. The sandbox is at its end.
            self.skipped.append(path)
            os.unlink(entry.path)

    def _visit(self, folder, path):
        if path in self._submodules:
            self.skipped.append(path)
            if os.access(folder, os.R_OK) and os.listdir(folder):
                self.notes.append("%s is a submodule: what is in it is not in the patch" % shown(path))
        elif path not in self._tracked_folders and _is_repository(folder):
            self.skipped.append(path)
            self.notes.append("%s is a git repository of its own: left out of the patch" % shown(path))
        else:
            self._folders.append((folder, path + b"/"))


def _folders_of(base):
    folders = set()
    for path in base:
        end = path.rfind(b"/")
        while end > 0 and path[:end] not in folders:
            folders.add(path[:end])
            end = path.rfind(b"/", 0, end)
    return folders


def _is_repository(folder):
    marker = os.path.join(folder, b".git")
    if os.path.isdir(marker):
        return os.path.lexists(os.path.join(marker, b"HEAD"))
    return os.path.isfile(marker)

"""Whether a clone is as its checkout left it: nothing was written, or each file is as the index of the checkout notes it."""

import os
import stat
import struct

_NOTED = struct.Struct(">4I8xI8xI20xH")
_REPOSITORY = 0o160000
_EXTENDED = 0x4000


def is_unchanged(workspace, index, changes=None):
    """False where that cannot be told: then git has to look. Empty folders count as little as they do for git.

    `changes`: the folder that holds whatever was written to the clone, where the file system keeps it apart.
    """
    try:
        if changes is not None and set(os.listdir(changes)) <= {".git"}:
            return True
        with open(index, "rb") as file:
            noted = _read(file.read())
        return _is_as_noted(os.fsencode(workspace), noted)
    except (OSError, ValueError, struct.error):
        return False


def _is_as_noted(workspace, noted):
    found, folders = 0, [(workspace, b"")]
    while folders:
        folder, prefix = folders.pop()
        for entry in os.scandir(folder):
            if prefix == b"" and entry.name == b".git":
                continue
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, path + b"/"))
            elif noted.get(path) != _described(entry.stat(follow_symlinks=False)):
                return False
            else:
                found += 1
    return found == len(noted)


def _described(status):
    if stat.S_ISREG(status.st_mode):
        mode = 0o100755 if status.st_mode & 0o100 else 0o100644
    else:
        mode = stat.S_IFMT(status.st_mode)
    times = (*divmod(status.st_ctime_ns, 10**9), *divmod(status.st_mtime_ns, 10**9))
    return (*times, mode, status.st_size & 0xFFFFFFFF)


def _read(data):
    """path -> what is noted of it, of an index of version 2 or 3; submodules are folders."""
    if data[:4] != b"DIRC" or int.from_bytes(data[4:8], "big") not in (2, 3):
        raise ValueError("not an index of a known version")
    noted, at = {}, 12
    for _ in range(int.from_bytes(data[8:12], "big")):
        *described, flags = _NOTED.unpack_from(data, at)
        start = at + _NOTED.size + (2 if flags & _EXTENDED else 0)
        end = data.index(b"\0", start)
        if described[4] != _REPOSITORY:
            noted[data[start:end]] = tuple(described)
        # Padded to a multiple of eight, with one byte at least.
        at += (end - at) // 8 * 8 + 8
    return noted

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
from time import sleep

from rlm_kernel.patch import parse
from rlm_kernel.patch_repository import Git
from rlm_kernel.setup_changes import describe
from rlm_kernel.tree_walk import Walk

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
    notes = walk.notes + git.add(walk.skipped) + git.forget_repositories(base)
    with open(os.path.join(options["into"], "ignored"), "wb") as file:
        for path in git.ignored():
            described = describe(options["workspace"], path)
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


def _write_to_disk(folder):
    """It is used for good once it is there: also after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)

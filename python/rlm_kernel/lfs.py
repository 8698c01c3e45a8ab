"""Git LFS: a patch has pointers, as commits have; never what they stand for.

Which files are kept in LFS is what the tree's attributes say (`filter=lfs`), and what the commit has as a pointer. No
filter is run.
"""

import hashlib
import re

from rlm_kernel.setup_changes import shown

_REGULAR = (b"100644", b"100755")
_MOST_POINTER_BYTES = 1024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-[0-9]-[^ \n]+ [^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\n"
    rb"size ([0-9]{1,18})\n"
)
_EMPTY = (hashlib.sha256().hexdigest().encode(), 0)
_NAMES_IN_NOTE = 5


def keep_pointers(git, base, layer):
    """Takes out of the index what is no pointer where there must be one. Returns notes.

    `layer`: entries as the setup left them, or the commit's; what is as it is there is not the agents'. Content that the
    commit has a pointer to becomes this pointer: a file that was only fetched has not changed.
    """
    kept = git.kept_in_lfs()
    every_change = git.changed()
    changed = {path: entry for path, entry in every_change.items() if entry[0] in _REGULAR}
    blobs = {entry[1] for entries in (kept, changed) for entry in entries.values()}
    # Also of what is deleted: it may have been renamed.
    blobs.update(base[path][1] for paths in (kept, every_change) for path in paths if path in base)
    pointers = _read_pointers(git, blobs)
    known = {pointers[name]: name for _, name in base.values() if name in pointers}
    skipped, replaced, notes = [], {}, []
    for path, (mode, name) in changed.items():
        was_pointer = path in base and pointers.get(base[path][1], _EMPTY) != _EMPTY
        if layer.get(path) == (mode, name) or name in pointers or not (path in kept or was_pointer):
            continue
        content = git.run("cat-file", "blob", name.decode()).stdout
        pointer = known.get((hashlib.sha256(content).hexdigest().encode(), len(content)))
        if pointer is not None:
            replaced[path] = (mode, pointer)
        else:
            skipped.append(path)
            notes.append("%s is kept in Git LFS: its new content is left out of the patch" % shown(path))
    git.restore(skipped, base)
    git.restore(list(replaced), replaced)
    unseen = [path for path, (_, name) in kept.items() if pointers.get(name, _EMPTY) != _EMPTY]
    return _name_pointers(unseen) + notes


def _name_pointers(paths):
    if not paths:
        return []
    names = ", ".join(shown(path) for path in sorted(paths)[:_NAMES_IN_NOTE])
    more = len(paths) - _NAMES_IN_NOTE
    names += " and %d more" % more if more > 0 else ""
    return ["Git LFS: the agents had only the pointers, not the content, of %s" % names]


def _read_pointers(git, names):
    """blob -> (SHA-256, size) of what it stands for. An empty file is its own pointer."""
    small = [name for name, size in git.sizes(names).items() if size <= _MOST_POINTER_BYTES]
    found = {}
    for name, content in git.contents(small):
        if content == b"":
            found[name] = _EMPTY
        else:
            pointer = _POINTER.fullmatch(content)
            if pointer:
                found[name] = (pointer.group(1), int(pointer.group(2)))
    return found

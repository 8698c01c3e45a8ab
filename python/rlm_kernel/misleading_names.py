"""Names that git or a file system would take for something else than they say; src/sandbox/misleading-path.ts has the
same rule."""

import re

# HFS+ does not see these code points: U+200C to U+200F, U+202A to U+202E, U+206A to U+206F, U+FEFF.
_UNSEEN = re.compile(rb"\xe2\x80[\x8c-\x8f\xaa-\xae]|\xe2\x81[\xaa-\xaf]|\xef\xbb\xbf")
# NTFS knows .git by its short name too, drops dots and spaces at the end, and reads what follows a colon as a stream.
_REPOSITORY = re.compile(rb"(\.git|git~1)[. ]*(:.*)?", re.DOTALL)
_DRIVE = re.compile(rb"[A-Za-z]:[/\\]")


def is_misleading(path):
    """Whether a path leads out of the tree, or into a repository, here or on macOS or Windows."""
    if b"\0" in path or _DRIVE.match(path):
        return True
    if any(part in (b"", b".") for part in path.split(b"/")):
        return True
    parts = path.replace(b"\\", b"/").split(b"/")
    return any(part == b".." or _REPOSITORY.fullmatch(_UNSEEN.sub(b"", part).lower()) for part in parts)

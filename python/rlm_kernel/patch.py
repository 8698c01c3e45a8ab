"""Takes the difference between a working tree and its commit; `kernel patch ...`, run inside the sandbox.

    kernel patch --workspace FOLDER --commit ID --objects FOLDER [--index FILE] [--scratch FOLDER] [--limit BYTES]
                 [--setup FOLDER]

`setup` is what `kernel baseline` made: what it describes is not in the patch.

Writes one line of JSON, {"size": bytes, "notes": [...]}, and then the patch, `size` bytes.

The tree is read with a repository of our own outside of it: nothing of the tree's configuration, attributes, hooks,
filters or file monitor has a say. (`git add -A && git diff` in the tree's own repository ran its filter, and gave an
empty patch with exit code 0, on a hostile one.) Applied to the commit, the patch gives the same tree: names and
contents are bytes from end to end. Of files that .gitignore names it has those that the tree's own index has.
"""

import json
import os
import sys

from rlm_kernel.lfs import keep_pointers
from rlm_kernel.own_index import tracked_files
from rlm_kernel.patch_repository import Failure, Git
from rlm_kernel.setup_changes import Baseline
from rlm_kernel.tree_walk import Walk

_MOST_NOTES = 100


def main(arguments):
    options = parse(arguments)
    scratch = options["scratch"] if os.path.isdir(options["scratch"]) else os.environ.get("TMPDIR", "/tmp")
    folder = os.path.join(scratch, "rlm-patch-" + os.urandom(8).hex())
    os.mkdir(folder, 0o700)
    try:
        patch, notes = take(options, folder)
    except (Failure, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        _remove(folder)
    output = sys.stdout.buffer
    output.write(json.dumps({"size": len(patch), "notes": notes}).encode() + b"\n")
    output.write(patch)
    output.flush()
    return 0


def parse(arguments):
    options = {"workspace": None, "commit": None, "objects": None, "index": "", "scratch": "", "limit": 64 << 20}
    options.update({"setup": "", "into": ""})
    for name, value in zip(arguments[0::2], arguments[1::2]):
        if not name.startswith("--") or name[2:] not in options:
            raise SystemExit("kernel patch: unknown option %s" % name)
        options[name[2:]] = value
    missing = [name for name, value in options.items() if value is None]
    if missing or len(arguments) % 2:
        raise SystemExit("kernel patch: missing " + (", ".join(missing) or "a value"))
    options["limit"] = int(options["limit"])
    return options


def take(options, folder):
    """The patch's bytes, and one sentence for each thing that could not be taken into it."""
    git = Git(folder, options)
    base = git.commit_entries() if options["setup"] else git.index_entries()
    layer = git.index_entries() if options["setup"] else base
    walk = Walk(options["workspace"], base, options["limit"])
    tracked, notes = tracked_files(git, options["workspace"], layer)
    notes += walk.notes
    notes += git.add(walk.skipped, tracked)
    notes += git.forget_repositories(base)
    notes += git.forget_misleading(base)
    notes = keep_pointers(git, base, layer) + notes
    if options["setup"]:
        baseline = Baseline(options["setup"], options["workspace"])
        notes = baseline.news(notes) + baseline.forget(git, base, layer)
    patch, too_large = git.diff(base, options["limit"])
    notes += too_large
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = ["%d more" % (len(notes) - _MOST_NOTES)]
    return patch, notes


def _remove(folder):
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _remove(entry.path)
        else:
            os.unlink(entry.path)
    os.rmdir(folder)

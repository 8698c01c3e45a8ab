"""Takes the difference between a working tree and its commit; `kernel patch ...`, run inside the sandbox.

    kernel patch --workspace FOLDER --commit ID --objects FOLDER [--index FILE] [--scratch FOLDER] [--limit BYTES]
                 [--setup FOLDER]

`setup` is what `kernel baseline` made: what it describes is not in the patch.

Writes one line of JSON, {"size": bytes, "notes": [...]}, and then the patch, `size` bytes.

The tree is read with a repository of our own outside of it: nothing of the tree's configuration, attributes, hooks,
filters or file monitor has a say. (`git add -A && git diff` in the tree's own repository ran its filter, and gave an
empty patch with exit code 0, on a hostile one.) Applied to the commit, the patch gives the same tree: names and
contents are bytes from end to end.
"""

import json
import os
import stat
import subprocess
import sys

from rlm_kernel.setup_changes import Baseline, shown

_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding !diff !merge !eol\n"
_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tsymlinks = true
\tbare = false
\tautocrlf = false
\tignorecase = false
\texcludesFile = /dev/null
\tattributesFile = /dev/null
\thooksPath = /dev/null
\tfsmonitor = false
\tuntrackedCache = false
\tlooseCompression = 0
[gc]
\tauto = 0
"""
_GITLINK = b"160000"
_MOST_NOTES = 100
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_DIFF = ["--cached", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"]


class Failure(Exception):
    """git could not do what was asked; the text is what it said."""


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
    notes = list(walk.notes)
    notes += git.add(walk.left_out)
    notes += git.forget_repositories(base)
    if options["setup"]:
        baseline = Baseline(options["setup"], options["workspace"])
        notes = baseline.news(notes) + baseline.forget(git, base, layer)
    patch, too_large = git.diff(base, options["limit"])
    notes += too_large
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = ["%d more" % (len(notes) - _MOST_NOTES)]
    return patch, notes


class Git:
    """A repository without history of its own, whose working tree is the workspace."""

    def __init__(self, folder, options):
        self.folder = folder
        self.workspace = options["workspace"]
        self.commit = options["commit"]
        alternates, index = [options["objects"]], options["index"]
        if options["setup"]:
            alternates.append(os.path.join(options["setup"], "objects"))
            index = os.path.join(options["setup"], "index")
        for name in ("objects/info", "objects/pack", "refs/heads", "info"):
            os.makedirs(os.path.join(folder, name))
        files = {
            "HEAD": "ref: refs/heads/none\n",
            "config": _CONFIG,
            "info/attributes": _ATTRIBUTES,
            "objects/info/alternates": "".join(alternate + "\n" for alternate in alternates),
        }
        for name, text in files.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_DIR": folder,
            "GIT_WORK_TREE": options["workspace"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        if index and os.path.exists(index):
            _copy_with_date(index, os.path.join(folder, "index"))
        else:
            self.run("read-tree", self.commit)

    def run(self, *arguments, text=b"", codes=(0,)):
        ended = subprocess.run(
            ["git", *arguments], cwd=self.workspace, env=self.environment, input=text, capture_output=True, check=False
        )
        if ended.returncode not in codes:
            complaint = ended.stderr.decode("utf-8", "backslashreplace").strip()
            raise Failure("git %s: %s" % (arguments[0], complaint or "exit code %d" % ended.returncode))
        return ended

    def index_entries(self):
        """What the index holds, at first the commit or what was made of it: path -> (mode, object)."""
        entries = {}
        for line in self.run("ls-files", "-z", "--stage").stdout.split(b"\0")[:-1]:
            described, path = line.split(b"\t", 1)
            mode, name, _ = described.split(b" ")
            entries[path] = (mode, name)
        return entries

    def commit_entries(self):
        """What the commit holds: path -> (mode, object)."""
        entries = {}
        for line in self.run("ls-tree", "-r", "-z", "--full-tree", self.commit).stdout.split(b"\0")[:-1]:
            described, path = line.split(b"\t", 1)
            mode, _, name = described.split(b" ")
            entries[path] = (mode, name)
        return entries

    def ignored(self):
        """Files that git does not look at."""
        listed = self.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
        return listed.stdout.split(b"\0")[:-1]

    def add(self, left_out):
        """Takes the tree into the index. What git refuses is reported, and stays as it was in the commit."""
        paths = [b":(top)"] + [b":(top,exclude,literal)" + path for path in left_out]
        command = ["add", "--all", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul"]
        ended = self.run(*command, text=b"\0".join(paths), codes=(0, 1))
        return [_sentence(line) for line in ended.stderr.splitlines() if _worth_a_note(line)]

    def forget_repositories(self, base):
        """A repository inside the tree would become a reference to a commit that nobody else has."""
        changed = self.changed()
        repositories = [path for path, (mode, _) in changed.items() if mode == _GITLINK]
        self.restore(repositories, base)
        return ["%s is a git repository of its own: left out of the patch" % shown(path) for path in repositories]

    def diff(self, base, limit):
        """The patch within `limit` bytes; the largest files are left out until it fits."""
        notes = []
        changed = self.changed()
        while changed:
            patch = self._patch(limit)
            if patch is not None:
                return patch, notes
            largest = self._largest(changed, base)
            self.restore(largest, base)
            for path in largest:
                del changed[path]
                notes.append("%s is too large: left out of the patch" % shown(path))
        return b"", notes

    def changed(self):
        """Paths that differ from the commit: path -> (mode, object) as they are now; mode 000000 for deleted ones."""
        fields = self.run("diff-index", "-z", "--raw", *_DIFF, self.commit, "--").stdout.split(b"\0")[:-1]
        described = (field[1:].split(b" ") for field in fields[0::2])
        return {path: (entry[1], entry[3]) for path, entry in zip(fields[1::2], described)}

    def _patch(self, limit):
        """None when it is longer than `limit`."""
        command = ["git", "diff-index", "-p", "--binary", *_DIFF, self.commit, "--"]
        process = subprocess.Popen(
            command, cwd=self.workspace, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        chunks, size = [], 0
        for chunk in iter(lambda: process.stdout.read(1 << 20), b""):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                process.kill()
                process.communicate()
                return None
        complaint = process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        if process.wait() != 0:
            raise Failure("git diff-index: " + complaint.decode("utf-8", "backslashreplace").strip())
        return b"".join(chunks)

    def _largest(self, changed, base):
        """A quarter of what changed, at least one file, largest first."""
        objects = {path: [entry[1] for entry in (changed[path], base.get(path)) if entry] for path in changed}
        names = sorted({name for each in objects.values() for name in each})
        asked = self.run("cat-file", "--batch-check=%(objectname) %(objectsize)", text=b"\n".join(names) + b"\n")
        sizes = {}
        for line in asked.stdout.splitlines():
            name, size = line.split(b" ", 1)
            sizes[name] = int(size) if size.isdigit() else 0
        order = sorted(changed, key=lambda path: -max(sizes.get(name, 0) for name in objects[path]))
        return order[: max(1, len(order) // 4)]

    def restore(self, paths, base):
        """Makes index entries those of `base` again, mostly the commit's."""
        if not paths:
            return
        gone = (b"0", b"0" * 40)
        lines = [b" ".join(base.get(path, gone)) + b"\t" + path for path in paths]
        self.run("update-index", "-z", "--index-info", text=b"\0".join(lines) + b"\0")


class Walk:
    """A look at the tree before git's: what it must leave out, and what it would leave out without a word."""

    def __init__(self, workspace, base, limit):
        self._limit = limit
        self.left_out = []
        self.notes = []
        self._submodules = {path for path, (mode, _) in base.items() if mode == _GITLINK}
        self._tracked_folders = _folders_of(base)
        self._walk(os.fsencode(workspace), b"")

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
                kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
                self.notes.append("%s is %s: left out of the patch" % (shown(path), kind))
            elif status.st_size > self._limit:
                self.left_out.append(path)
                self.notes.append("%s is too large: left out of the patch" % shown(path))

    def _visit(self, folder, path):
        if path in self._submodules:
            self.left_out.append(path)
            if os.access(folder, os.R_OK) and os.listdir(folder):
                self.notes.append("%s is a submodule: what is in it is not in the patch" % shown(path))
        elif path not in self._tracked_folders and _is_repository(folder):
            self.left_out.append(path)
            self.notes.append("%s is a git repository of its own: left out of the patch" % shown(path))
        else:
            self._walk(folder, path + b"/")


def _copy_with_date(source, target):
    """The date of an index says which of its entries need no second look."""
    with open(source, "rb") as file, open(target, "wb") as copy:
        copy.write(file.read())
    date = os.stat(source).st_mtime_ns
    os.utime(target, ns=(date, date))


def _remove(folder):
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _remove(entry.path)
        else:
            os.unlink(entry.path)
    os.rmdir(folder)


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


def _worth_a_note(line):
    return line.startswith((b"error:", b"warning:", b"fatal:")) and not any(
        # Said after the reason was.
        text in line
        for text in (b"adding files failed", b"unable to index file")
    )


def _sentence(line):
    return "not in the patch: " + line.split(b":", 1)[1].strip().decode("utf-8", "backslashreplace")

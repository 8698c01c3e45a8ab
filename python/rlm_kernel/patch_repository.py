"""The repository outside of the tree with which a patch is taken: nothing of the tree's own has a say in it."""

import os
import subprocess

from rlm_kernel.misleading_names import is_misleading
from rlm_kernel.setup_changes import shorten, shown

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
GITLINK = b"160000"
# Before whatever the PATH says: the code can write to the folders of a virtual environment.
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
_BLOBS_AT_ONCE = 10_000
_DIFF = ["--cached", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"]


class Failure(Exception):
    """git could not do what was asked; the text is what it said."""


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
            "PATH": _PROGRAMS + ":" + os.environ.get("PATH", ""),
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

    def run(self, *arguments, text=b"", codes=(0,), **environment):
        environment = {**self.environment, **environment}
        ended = subprocess.run(
            ["git", *arguments], cwd=self.workspace, env=environment, input=text, capture_output=True, check=False
        )
        if ended.returncode not in codes:
            complaint = ended.stderr.decode("utf-8", "backslashreplace").strip()
            raise Failure("git %s: %s" % (arguments[0], complaint or "exit code %d" % ended.returncode))
        return ended

    def index_entries(self):
        """What the index holds, at first the commit or what was made of it: path -> (mode, object)."""
        return self._listed()

    def entries_of_index(self, file):
        """The same of another index."""
        return self._listed(GIT_INDEX_FILE=file)

    def kept_in_lfs(self):
        """Of what the index holds, that which the attributes of the tree give to Git LFS."""
        folder = os.path.join(self.folder, "attributes")
        # A git directory without our own attributes, which put those of the tree out of force.
        os.makedirs(os.path.join(folder, "refs"))
        for name in ("HEAD", "config"):
            os.link(os.path.join(self.folder, name), os.path.join(folder, name))
        environment = {"GIT_OBJECT_DIRECTORY": os.path.join(self.folder, "objects")}
        environment["GIT_INDEX_FILE"] = os.path.join(self.folder, "index")
        return self._listed(":(top,attr:filter=lfs)", GIT_DIR=folder, **environment)

    def _listed(self, *paths, **environment):
        entries = {}
        listed = self.run("ls-files", "-z", "--stage", "--", *paths, **environment).stdout
        for line in listed.split(b"\0")[:-1]:
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

    def add(self, skipped, tracked=None):
        """Takes the tree into the index. What git refuses is reported, and stays as it was in the commit.

        `tracked`, path -> mode: files to be taken in although .gitignore may name them.
        """
        # git asks .gitignore of no file that its index has: an entry of no object makes it look.
        mark = os.urandom(20).hex().encode()
        self.restore(list(tracked or ()), {path: (mode, mark) for path, mode in (tracked or {}).items()})
        notes = self._add(skipped)
        if tracked:
            entries = self.index_entries()
            self.restore([path for path in tracked if path in entries and entries[path][1] == mark], {})
        return notes

    def _add(self, skipped):
        paths = [b":(top)"] + [b":(top,exclude,literal)" + path for path in skipped]
        command = ["add", "--all", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul"]
        ended = self.run(*command, text=b"\0".join(paths), codes=(0, 1))
        return [_sentence(line) for line in ended.stderr.splitlines() if _worth_a_note(line)]

    def forget_repositories(self, base):
        """A repository inside the tree would become a reference to a commit that nobody else has."""
        changed = self.changed()
        repositories = [path for path, (mode, _) in changed.items() if mode == GITLINK]
        self.restore(repositories, base)
        return ["%s is a git repository of its own: left out of the patch" % shown(path) for path in repositories]

    def forget_misleading(self, base):
        """Paths that no patch may have, in the commit as little as in the tree."""
        misleading = [path for path in self.changed() if is_misleading(path)]
        self.restore(misleading, base)
        note = "%s is a name that git or a file system may take for another: left out of the patch"
        return [note % shown(path) for path in misleading]

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
        sizes = self.sizes({name for each in objects.values() for name in each})
        order = sorted(changed, key=lambda path: -max(sizes.get(name, 0) for name in objects[path]))
        return order[: max(1, len(order) // 4)]

    def sizes(self, names):
        """Of blobs in bytes: name -> size; 0 for what is none."""
        if not names:
            return {}
        asked = self.run("cat-file", "--batch-check=%(objectname) %(objectsize)", text=b"\n".join(sorted(names)) + b"\n")
        described = (line.split(b" ", 1) for line in asked.stdout.splitlines())
        return {name: int(size) if size.isdigit() else 0 for name, size in described}

    def contents(self, names):
        """(name, content) of small blobs, one after the other."""
        for start in range(0, len(names), _BLOBS_AT_ONCE):
            some = names[start : start + _BLOBS_AT_ONCE]
            output = self.run("cat-file", "--batch=%(objectname) %(objectsize)", text=b"\n".join(some) + b"\n").stdout
            at = 0
            while at < len(output):
                end = output.index(b"\n", at)
                name, size = output[at:end].split(b" ", 1)
                at = end + 1
                if size.isdigit():
                    yield name, output[at : at + int(size)]
                    at += int(size) + 1

    def restore(self, paths, base):
        """Makes index entries those of `base` again, mostly the commit's."""
        if not paths:
            return
        gone = (b"0", b"0" * 40)
        lines = [b" ".join(base.get(path, gone)) + b"\t" + path for path in paths]
        self.run("update-index", "-z", "--index-info", text=b"\0".join(lines) + b"\0")


def _copy_with_date(source, target):
    """The date of an index says which of its entries need no second look."""
    with open(source, "rb") as file, open(target, "wb") as copy:
        copy.write(file.read())
    date = os.stat(source).st_mtime_ns
    os.utime(target, ns=(date, date))


def _worth_a_note(line):
    return line.startswith((b"error:", b"warning:", b"fatal:")) and not any(
        # Said after the reason was.
        text in line
        for text in (b"adding files failed", b"unable to index file")
    )


def _sentence(line):
    return "not in the patch: " + shorten(line.split(b":", 1)[1].strip().decode("utf-8", "backslashreplace"))

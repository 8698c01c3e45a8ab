"""Makes the checkout that every clone of a commit lies on; run inside a sandbox.

Files get the very bytes of their blobs: attributes of the tree (filters, line ends, encodings) have no say, neither
here nor later in the clone. The index is dated after every file, so that the first `git status` compares dates only.
"""

import argparse
import os
import shutil
import subprocess
import sys

ATTRIBUTES = "* -text -ident -filter -working-tree-encoding !diff !merge !eol\n"
_CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tautocrlf = false
\tprotectNTFS = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", required=True)
    parser.add_argument("--objects", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--shallow")
    options = parser.parse_args(arguments)
    tree = os.path.join(options.into, "tree")
    repository = os.path.join(tree, ".git")
    _make_repository(repository, options)
    _git(tree, "update-ref", "--no-deref", "HEAD", options.commit)
    _git(tree, "read-tree", "--reset", "-u", options.commit)
    index = os.path.join(repository, "index")
    if os.path.exists(index):
        _date_after_every_file(tree, index)
        shutil.copy2(index, os.path.join(options.into, "index"))


def _make_repository(repository, options):
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        os.makedirs(os.path.join(repository, name))
    files = {
        # Detached: which of the branches that hold the commit it would be on cannot be told.
        "HEAD": options.commit + "\n",
        "config": _CONFIG,
        "info/attributes": ATTRIBUTES,
        "info/exclude": "",
        "objects/info/alternates": options.objects + "\n",
    }
    for name, text in files.items():
        with open(os.path.join(repository, name), "w") as file:
            file.write(text)
    if options.shallow:
        shutil.copyfile(options.shallow, os.path.join(repository, "shallow"))


def _git(tree, *arguments):
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_COMMITTER_NAME": "agent",
        "GIT_COMMITTER_EMAIL": "agent@localhost",
        "LC_ALL": "C",
    }
    subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], cwd=tree, env=environment, check=True)


def _date_after_every_file(tree, index):
    """An entry as young as the index counts as doubtful, and its file is read again at every status."""
    newest = os.stat(index).st_mtime_ns
    for folder, folders, files in os.walk(tree):
        if folder == tree:
            folders.remove(".git")
        for name in files:
            newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime_ns)
    os.utime(index, ns=(newest + 10_000_000, newest + 10_000_000))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode if error.returncode > 0 else 1)

"""Makes the checkout that every clone of a commit lies on; run inside a sandbox.

Files get the very bytes of their blobs: attributes of the tree (filters, line ends, encodings) have no say, neither
here nor later in the clone.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

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
    _date_before_now(tree, repository)
    index = os.path.join(repository, "index")
    if os.path.exists(index):
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


def _git(tree, *arguments, **how):
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
    return subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], cwd=tree, env=environment, check=True, **how)


def _date_before_now(tree, repository):
    """Gives every file the commit's date.

    An entry as young as the index (git counts whole seconds) is doubtful, and its file would be read again at every
    status; and a change made within the same second as the checkout could pass unseen.
    """
    said = _git(tree, "log", "-1", "--format=%ct", capture_output=True).stdout
    date = min(int(said), int(time.time()) - 10)
    for folder, folders, files in os.walk(tree, topdown=False):
        if folder == repository or folder.startswith(repository + "/"):
            continue
        for name in files + folders:
            os.utime(os.path.join(folder, name), (date, date), follow_symlinks=False)
    _git(tree, "update-index", "-q", "--refresh")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode if error.returncode > 0 else 1)

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
    # Without them the disk of the machine is the limit.
    parser.add_argument("--max-mb", type=int)
    parser.add_argument("--max-entries", type=int)
    options = parser.parse_args(arguments)
    tree = os.path.join(options.into, "tree")
    repository = os.path.join(tree, ".git")
    _make_repository(repository, options)
    if options.max_mb is not None:
        _check_size(tree, options)
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


def _check_size(tree, options):
    """Before anything is written: a few objects may be checked out to any size, in trees that hold each other many times."""
    listing = ["ls-tree", "-r", "-t", "-z", "--long", options.commit]
    total = entries = 0
    rest = b""
    with _start_git(tree, *listing) as git:
        while True:
            chunk = git.stdout.read(1 << 16)
            *found, rest = (rest + chunk).split(b"\0")
            for entry in found:
                size = entry.split(b"\t", 1)[0].split()[3]
                total += int(size) if size.isdigit() else 0
            entries += len(found)
            if total > options.max_mb << 20 or entries > options.max_entries:
                git.kill()
                text = "its files are more than sandbox.disk_mb allows: %d MiB and %d files and folders"
                sys.exit(text % (options.max_mb, options.max_entries))
            if not chunk:
                break
    if git.returncode != 0:
        raise subprocess.CalledProcessError(git.returncode, listing)


def _git(tree, *arguments, **how):
    return subprocess.run(_command(arguments), cwd=tree, env=_environment(), check=True, **how)


def _start_git(tree, *arguments):
    return subprocess.Popen(_command(arguments), cwd=tree, env=_environment(), stdout=subprocess.PIPE)


def _command(arguments):
    return ["git", "-c", "core.hooksPath=/dev/null", *arguments]


def _environment():
    return {
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

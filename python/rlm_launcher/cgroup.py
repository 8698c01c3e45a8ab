"""Control groups: where the worker may make them, a sandbox gets one, and Linux itself holds it to its limits.

Version 2 where a group above the worker's is delegated to it with the memory controller enabled (a systemd user session or a
service with Delegate=yes); version 1 where the worker may write its controllers. Else the kernel's own watchdog is all.
"""

import os
import time

_MIB = 1024 * 1024
_PREFIX = "rlm-"
_YOUNG_SECONDS = 60
_ROOT = "/sys/fs/cgroup"
# Of 1024, which one busy process of the machine has: the worker and its server come first.
_SHARE = 512


def find(root=_ROOT, own="/proc/self/cgroup"):
    """Folders in which groups can be made, each with its kind: 2, or a controller of version 1. [] where there is none."""
    groups = _own_groups(own)
    if groups is None:
        return []
    unified = _unified(root, groups.get("", "/"))
    if unified is not None:
        return [(unified, 2)]
    found = []
    for controller in ("memory", "pids", "cpu"):
        folder = _existing("%s/%s" % (root, controller), groups.get(controller))
        if folder is not None and os.access(folder, os.W_OK) and os.path.exists(folder + "/tasks"):
            found.append((folder, controller))
    return found if any(kind == "memory" for _, kind in found) else []


def _own_groups(path):
    try:
        with open(path) as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    return {controller: group for _, controllers, group in lines for controller in controllers.split(",")}


def _unified(root, group):
    """The nearest group, from the worker's own upwards, whose children have the memory controller and may be made by us."""
    folder = os.path.normpath(root + group)
    while folder.startswith(root):
        if not os.access(folder, os.W_OK):
            return None
        try:
            with open(folder + "/cgroup.subtree_control") as file:
                enabled = file.read().split()
        except OSError:
            return None
        if "memory" in enabled and "pids" in enabled and os.access(folder + "/cgroup.procs", os.W_OK):
            return folder
        folder = os.path.dirname(folder)
    return None


def _existing(root, group):
    if group is None or not os.path.isdir(root):
        return None
    folder = os.path.normpath(root + group)
    # In a container the mount may begin at the group itself.
    return folder if os.path.isdir(folder) else root


def plan(name):
    """The groups of this name, each with its kind: to be told before they are made, so that none is forgotten."""
    return [("%s/%s" % (folder, name), kind) for folder, kind in find()]


def enter(groups, limits):
    """Makes the groups and moves this process there. Returns those where that went well."""
    made = []
    for group, kind in groups:
        try:
            os.mkdir(group)
            for file, value in _settings(kind, limits):
                _write("%s/%s" % (group, file), value)
            _write(group + "/cgroup.procs", os.getpid())
            made.append(group)
        except OSError:
            leave([group])
    return made


def tidy():
    """Removes the groups that killed workers have left. One that is in use cannot be removed, and a young one is being entered."""
    for folder, _ in find():
        for name in os.listdir(folder):
            group = "%s/%s" % (folder, name)
            try:
                if name.startswith(_PREFIX) and time.time() - os.stat(group).st_mtime > _YOUNG_SECONDS:
                    leave([group])
            except OSError:
                pass  # Another has removed it.


def leave(groups):
    """Removes groups whose processes have ended."""
    for group in groups:
        try:
            os.rmdir(group)
        except OSError:
            pass  # Somebody in it still ends; who looks for leftovers comes again.


def _settings(kind, limits):
    memory = limits["memory_mb"] * _MIB
    processes = limits["processes"] + 16
    if kind == 2:
        settings = [("memory.max", memory), ("memory.swap.max", 0), ("pids.max", processes), ("cpu.weight", _SHARE * 100 // 1024)]
    elif kind == "memory":
        settings = [("memory.limit_in_bytes", memory)]
    elif kind == "pids":
        settings = [("pids.max", processes)]
    else:
        settings = [("cpu.shares", _SHARE)]
    return settings


def _write(path, value):
    # Of controllers that are not enabled there are no files.
    if os.path.basename(path).startswith(("cpu.", "memory.swap")) and not os.path.exists(path):
        return
    with open(path, "w") as file:
        file.write(str(value))

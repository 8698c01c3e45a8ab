"""Resource limits of a sandbox. None on CPU time: a sandbox outlives its worker and may think for hours."""

import resource

_MIB = 1024 * 1024


def apply(memory_mb, disk_mb, processes):
    """Sets the limits of the calling process and of all it starts.

    `processes` must be set inside the sandbox's own user namespace: outside, all sandboxes would share the count.
    """
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, 1024, 4096),
        (resource.RLIMIT_FSIZE, disk_mb * _MIB, disk_mb * _MIB),
        # Per process, and reserved rather than used memory (threads reserve 72 MiB each): only a bound for a single
        # wild allocation. What all processes use together is watched by the kernel's supervisor.
        (resource.RLIMIT_AS, (2 * memory_mb + 4096) * _MIB, (2 * memory_mb + 4096) * _MIB),
        (resource.RLIMIT_MEMLOCK, 64 * 1024, 64 * 1024),
        (resource.RLIMIT_MSGQUEUE, 64 * 1024, 64 * 1024),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_SIGPENDING, 4096, 4096),
        (resource.RLIMIT_NPROC, processes, processes),
    ):
        _lower(kind, soft, hard)


def _lower(kind, soft, hard):
    """A limit that is lower already stays: raising one needs privileges."""
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))

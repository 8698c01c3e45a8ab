"""Plays scenarios with a peer, one JSON line in and one out for each. What is imported and connected once is warm
after the first."""

import json
import os
import sys
import time

# Peers may exchange sys.stdout, from several threads, and leave it exchanged.
OUT = os.fdopen(os.dup(1), "w")


def serve(play):
    for line in sys.stdin:
        request = json.loads(line)
        own, children = cpu_seconds()
        started = time.perf_counter()
        try:
            reply = {"answer": str(play(request))}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:500]}
        reply["seconds"] = time.perf_counter() - started
        own_after, children_after = cpu_seconds()
        reply["cpu"] = {"itself": own_after - own, "its children": children_after - children}
        # The process may have been left in a folder that is gone.
        os.chdir("/")
        OUT.write(json.dumps(reply) + "\n")
        OUT.flush()


def cpu_seconds():
    times = os.times()
    return times.user + times.system, times.children_user + times.children_system

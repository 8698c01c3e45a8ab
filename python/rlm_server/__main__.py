"""Runs the embedded Temporal server where nobody but its owner reaches it; started by src/temporal/dev-server-launcher.ts.

    python3 -I -S -B <this folder> SPEC

SPEC is a JSON object:

    lock       file that is locked for as long as this process or the server lives
    record     file to write where the server is to be found; `found` is what it says besides `process`
    database   name of the database file, in the current folder
    making     file that exists while a new database has not answered yet
    sockets    {path of a unix socket: port of the server that it leads to}; each path at most 107 bytes long
    command    argument list of the server

The server has no authentication, so it runs in a network namespace of its own, which has nothing but a loopback. This
process lives in that namespace too, and relays from unix sockets, which file permissions protect, to the server's ports.
It ends when the server does, and the server ends with it, whatever kills it.

Standard library only, Python >= 3.9, Linux.
"""

import json
import os
import sys

if __name__ == "__main__":
    sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
    import keeper

    # Not sys.exit, which would wait for the relay's threads.
    os._exit(keeper.main(json.loads(sys.argv[1])))

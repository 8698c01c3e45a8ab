"""Run as `python3 -I -S -B <this folder>`, by src/sandbox/local/launcher.ts."""

import os
import sys

if __name__ == "__main__":
    sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
    import server

    server.serve(0, 1)

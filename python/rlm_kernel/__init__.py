"""The kernel of a sandbox: a supervisor that speaks HTTP, and the REPL process it forks.

Only the standard library, and of it as little as possible: a sandbox starts in milliseconds because nothing here
imports `json`, `re`, `socket`, `threading` or `traceback` before it is needed.
"""

PROTOCOL = 1

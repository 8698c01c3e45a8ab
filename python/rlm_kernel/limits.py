"""Every bound in one place. Sizes in bytes, times in seconds, unless a name says otherwise."""

MIB = 1024 * 1024

HEADER_SIZE = 16 * 1024
BODY_SIZE = 256 * MIB
CONNECTIONS = 256
WAIT_MS = 30_000

NAME_LENGTH = 1000
"""Characters of a head, a variable's or a function's name."""

CALL_SIZE = 64 * MIB
"""Arguments of one call, and the value given to FINAL, as JSON."""
BATCH_ITEMS = 5_000
"""Prompts or tasks of one call. Their answers travel through one message of Temporal's, which has 2 MB at most."""
CALL_VARIABLES = 100
HANDED_VALUES = 10_000
"""Variables of one call, and those of all tasks of a batch together: each becomes a file of the host."""
CALL_VALUES = 1_000_000
DICT_KEYS = 100_000
"""JSON values in one call or in FINAL, and keys of one dict in it: the host reads them in one piece."""
PENDING_CALLS = 10_000
PENDING_SIZE = 256 * MIB
"""Arguments of all unanswered calls of a block together."""
CALLS = 100_000
CALLS_SIZE = 512 * MIB
"""All calls of one block, and their arguments: they are kept until the next block begins."""
EVENTS_SIZE = 32 * MIB
"""A reply to /v1/events holds no more events once it is this large; the next poll has the rest."""
CONTROL_SIZE = 16 * MIB
"""One message of the REPL besides calls: an error text at most."""
UNREAD_SIZE = 2 * CALL_SIZE
"""What has come of messages that are not complete, of all callers together."""

CAPTURE_SIZE = 10 * MIB
"""Full text of one stream of one block, as served by /v1/output."""
OUTPUT_LIMIT = 10_000_000
"""Largest `output_limit`, in characters."""
ERROR_TEXT = 100_000
"""Characters of one error text, before `output_limit` applies."""

INTERRUPTS = (0.0, 0.7, 1.4)
KILL_AFTER = 3.0
MEMORY_INTERVAL = 0.05
MEMORY_INTERVAL_WAITING = 5.0
MEMORY_INTERVAL_QUIET = 2.0
CROWD = 64
"""Threads of a sandbox beyond which they get the processor only when nobody else wants it."""
LEFT_NAMES = 5
"""Processes left behind that are named to the model."""
CALL_BATCH_WINDOW_SECONDS = 0.25
"""How long calls are gathered while the code still computes, before a poll returns them."""

PROCESSES = 64
PROCESS_TIMEOUT = 120.0
PROCESS_OUTPUT = 64 * MIB
PROCESS_OUTPUT_MAX = 128 * MIB

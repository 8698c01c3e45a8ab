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
PENDING_CALLS = 10_000
PENDING_SIZE = 256 * MIB
"""Arguments of all unanswered calls of a block together."""
CALLS = 100_000
CALLS_SIZE = 512 * MIB
"""All calls of one block, and their arguments: they are kept until the next block begins."""
EVENTS_SIZE = 32 * MIB
"""A reply to /v1/events holds no more events once it is this large; the next poll has the rest."""
CONTROL_SIZE = 2 * BODY_SIZE

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
CALL_BATCH_WINDOW_SECONDS = 0.25
"""How long calls are gathered while the code still computes, before a poll returns them."""

PROCESSES = 64
PROCESS_TIMEOUT = 120.0
PROCESS_OUTPUT = 64 * MIB
PROCESS_OUTPUT_MAX = 128 * MIB

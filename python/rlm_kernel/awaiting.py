"""`await` at the top level of a block, as in a notebook: one event loop, which lives between the blocks.

A block that awaits, or that starts tasks, runs as a coroutine in the loop; every other block runs without one, so that
`asyncio.run` works. The loop stands still between such blocks: tasks that are left continue when a later block awaits.
"""

_COROUTINE = 0x80
"""inspect.CO_COROUTINE; importing `inspect` would cost every sandbox 10 ms."""
_STARTS_TASKS = {"create_task", "ensure_future", "get_running_loop"}
_CLEANUP = 1.0
"""Seconds for the `finally` of a block that was ended."""


def wants_loop(parts):
    """Whether the code objects of a block are to run in the loop."""
    return any(part.co_flags & _COROUTINE or _STARTS_TASKS.intersection(part.co_names) for part in parts)


class EventLoop:
    def __init__(self):
        self._loop = None

    def run(self, parts, namespace):
        """Runs the code objects to their end. Whatever ends the loop meanwhile (an interrupt, FINAL in a task) ends them."""
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        block = self._loop.create_task(_run(parts, namespace))
        try:
            self._loop.run_until_complete(block)
        except BaseException:
            self._cancel(asyncio, block)
            raise

    def _cancel(self, asyncio, block):
        """Lets the code clean up after itself; a second interrupt, or what it raises, cuts that short."""
        if not block.done():
            block.cancel()
            try:
                self._loop.run_until_complete(asyncio.wait([block], timeout=_CLEANUP))
            except BaseException:
                pass
        if block.done() and not block.cancelled():
            # Else asyncio complains that nobody asked for it.
            block.exception()


async def _run(parts, namespace):
    for part in parts:
        if part.co_flags & _COROUTINE:
            await eval(part, namespace)
        else:
            exec(part, namespace)

"""The way out of a sandbox whose code may reach hosts: a port of its loopback leads to the host's proxy on a unix socket.

Part of the supervisor's loop, so that no process of the code can end it or stand in its place.
"""

import os
import socket

from rlm_kernel.loop import ENDED, READ, WRITE

_CHUNK = 1 << 16
_CONNECTIONS = 256
_BACKLOG = 64


class Relay:
    def __init__(self, loop, port, path):
        self._loop = loop
        self._path = path
        self._count = 0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._listener.setblocking(False)
        loop.watch(self._listener.fileno(), self._accept)

    def _accept(self, events):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        proxy = socket.socket(socket.AF_UNIX)
        try:
            if self._count >= _CONNECTIONS:
                raise OSError
            client.setblocking(False)
            proxy.setblocking(False)
            # Nobody listens between two workers.
            proxy.connect(self._path)
        except OSError:
            client.close()
            proxy.close()
            return
        self._count += 1
        _Tunnel(self._loop, client, proxy, self._closed)

    def _closed(self):
        self._count -= 1


class _Tunnel:
    """Two sockets; what comes on one goes to the other, a chunk at a time, so that nothing piles up here."""

    def __init__(self, loop, client, proxy, closed):
        self._loop = loop
        self._ends = {client.fileno(): client, proxy.fileno(): proxy}
        self._other = {client.fileno(): proxy.fileno(), proxy.fileno(): client.fileno()}
        self._held = {descriptor: b"" for descriptor in self._ends}
        """For each end what is still to be written to it."""
        self._over = {descriptor: False for descriptor in self._ends}
        """Ends from which nothing more comes."""
        self._closed = closed
        for descriptor in self._ends:
            self._watch(descriptor)

    def _watch(self, descriptor):
        wants_more = not self._over[descriptor] and not self._held[self._other[descriptor]]
        events = (READ if wants_more else 0) | (WRITE if self._held[descriptor] else 0)
        self._loop.watch(descriptor, lambda happened: self._ready(descriptor, happened), events)

    def _ready(self, descriptor, happened):
        try:
            if happened & WRITE and self._held[descriptor]:
                self._flush(descriptor)
            if happened & (READ | ENDED) and not self._over[descriptor] and not self._held[self._other[descriptor]]:
                self._take(descriptor)
            elif happened & ENDED:
                # Its other end is gone altogether; what it may have sent last has nowhere to go yet.
                raise OSError
        except OSError:
            self._close()
            return
        if all(self._over.values()) and not any(self._held.values()):
            self._close()
            return
        for each in self._ends:
            self._watch(each)

    def _take(self, descriptor):
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        other = self._other[descriptor]
        if chunk:
            self._held[other] = chunk
            self._flush(other)
        else:
            self._over[descriptor] = True
            self._ends[other].shutdown(socket.SHUT_WR)

    def _flush(self, descriptor):
        try:
            self._held[descriptor] = self._held[descriptor][os.write(descriptor, self._held[descriptor]) :]
        except BlockingIOError:
            pass

    def _close(self):
        for descriptor, end in self._ends.items():
            self._loop.forget(descriptor)
            end.close()
        self._closed()

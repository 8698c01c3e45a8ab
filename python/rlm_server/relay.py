"""Bytes between a unix socket and a port of the loopback. Blocking threads: at most a few dozen connections, and quick."""

import os
import socket
import threading
import time

_LOOPBACK = "127.0.0.1"
_BACKLOG = 128
_CHUNK = 1 << 16
# Seconds between two looks whether the server accepts connections yet.
_INTERVAL = 0.01


def bind(path):
    """A socket that only this user can connect to, and nobody can until it is listened on. Takes the place of an old one."""
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    return listener


def serve(listener, port):
    """Relays what connects from now on; refuses it until the server accepts connections. Returns at once."""
    threading.Thread(target=_serve, args=(listener, port), daemon=True).start()


def _serve(listener, port):
    while True:
        try:
            socket.create_connection((_LOOPBACK, port)).close()
            break
        except OSError:
            time.sleep(_INTERVAL)
    listener.listen(_BACKLOG)
    while True:
        try:
            client, _ = listener.accept()
            threading.Thread(target=_connect, args=(client, port), daemon=True).start()
        except (OSError, RuntimeError):
            # Out of descriptors or threads: what waits in the queue is taken when there are some.
            time.sleep(_INTERVAL)


def _connect(client, port):
    with client:
        try:
            server = socket.create_connection((_LOOPBACK, port))
        except OSError:
            return
        with server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source, target):
    """Until the source has ended, which the target is told; a side that breaks takes the other with it."""
    try:
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.

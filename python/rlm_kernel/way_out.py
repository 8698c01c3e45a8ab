"""The way out of a sandbox without network: a proxy of the host's, on a unix socket, brought to the sandbox's loopback.

Programs know proxies by address and port only (`HTTP_PROXY`), so a port leads to the socket.
"""

import socket
import threading

_CHUNK = 1 << 16
_BACKLOG = 64


def open_way_out(port, path):
    """Connections to the port lead to the socket at `path` while this process lives. Returns when it is open."""
    listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    threading.Thread(target=_serve, args=(listener, path), daemon=True).start()


def _serve(listener, path):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(client, path), daemon=True).start()


def _connect(client, path):
    with client, socket.socket(socket.AF_UNIX) as proxy:
        try:
            proxy.connect(path)
        except OSError:
            return
        back = threading.Thread(target=_copy, args=(proxy, client), daemon=True)
        back.start()
        _copy(client, proxy)
        back.join()


def _copy(source, target):
    """Until the source has ended, which the target is told; a side that breaks takes the other with it."""
    try:
        while True:
            chunk = source.recv(_CHUNK)
            if not chunk:
                break
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.

"""A TCP relay that begins to listen when it is told to: a server that is late at the start."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from socketserver import BaseRequestHandler, ThreadingTCPServer

_CHUNK_BYTES = 1 << 16


@contextlib.contextmanager
def relay(port: int, to: str) -> Iterator[None]:
    """As long as it lasts, loopback `port` leads to `to` (host:port)."""
    host, _, number = to.rpartition(":")

    class Both(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(number))) as behind:
                back = threading.Thread(target=_pump, args=(behind, self.request), daemon=True)
                back.start()
                _pump(self.request, behind)
                back.join(10)

    class Server(ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Both) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on until one side is done; then the other side hears so."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)

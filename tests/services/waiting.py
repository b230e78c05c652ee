"""Waiting for another process: free ports, and conditions that become true. The one place that polls the clock."""

import fcntl
import os
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL_SECONDS = 0.05
# Below the range the kernel hands out to outgoing connections, so that a killed broker finds its port free again.
_PORTS = range(20_000, 32_000)
_BLOCK_PORTS = 100


def until(condition: Callable[[], bool], *, timeout_seconds: float, what: str) -> None:
    """Return once `condition()` is true. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_seconds:g} s")
        time.sleep(_POLL_SECONDS)


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports that nobody listens on, on loopback. Each is given once in a process's life.

    So nobody is given the port of what was killed a moment ago and will be started again. Raises RuntimeError.
    """
    found: list[int] = []
    with _lock:
        while len(found) < count:
            port = next(_ports, None)
            if port is None:
                raise RuntimeError(f"no port between {_PORTS.start} and {_PORTS.stop} is left")
            if _is_free(port):
                found.append(port)
    return found


def _own_ports() -> Iterator[int]:
    """The ports of one block after another that no other process of any run on this machine has."""
    # The system's randomness: pytest reseeds `random` identically in every run.
    for first in random.SystemRandom().sample(_PORTS[::_BLOCK_PORTS], len(_PORTS[::_BLOCK_PORTS])):
        if _is_taken(first):
            yield from range(first, first + _BLOCK_PORTS)


def _is_taken(first: int) -> bool:
    """Take the block that begins with `first`, until this process ends: whether nobody had it."""
    folder = Path(tempfile.gettempdir()) / f"skustream-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    # Never closed: the lock is held by whoever has the file open, and by nobody once that process is gone.
    block = os.open(folder / str(first), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(block, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(block)
        return False
    return True


_lock = threading.Lock()
_ports = _own_ports()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def listens(port: int) -> bool:
    """Tell whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""Waiting for another process: free ports, and conditions that become true. The one place that polls the clock."""

import os
import random
import socket
import time
from collections.abc import Callable

_POLL_SECONDS = 0.05
# Below the range the kernel hands out to outgoing connections, so that a killed broker finds its port free again.
_PORTS = range(20_000, 32_000)
_PROCESSES = 8


def until(condition: Callable[[], bool], *, timeout_seconds: float, what: str) -> None:
    """Return once `condition()` is true. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_seconds:g} s")
        time.sleep(_POLL_SECONDS)


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports that nobody listens on, on loopback."""
    found: list[int] = []
    mine = _PORTS[_process_number() :: _PROCESSES]
    # The system's randomness: pytest reseeds `random` identically in every run, and two runs would collide.
    for port in random.SystemRandom().sample(mine, len(mine)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _process_number() -> int:
    """Of pytest's processes each has ports of its own: what one of them restarts must find its port free again."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES


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

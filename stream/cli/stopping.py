"""Ctrl-C and TERM as a question, so that what is under way is finished and counted.

Comes in: signals. Goes out: whether one came.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """While it lasts no signal interrupts anything: ask."""
    told: list[int] = []
    before = {number: signal.signal(number, lambda number, _: told.append(number)) for number in STOPPING}
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

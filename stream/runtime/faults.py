"""What a walk's error is, before anybody decides about it: its own, or only the sign that the walk was called off.

Comes in: whatever a handler raised. Goes out: the exception that `verdict.decide` judges.
"""

import asyncio


class BrokenOff(RuntimeError):
    """A handler ended in a cancellation that nobody here asked for: a bug, and not the end of the walk."""


def judged(error: BaseException) -> Exception:
    """What `decide` judges. Raises `CancelledError` where this walk itself was called off.

    Called off, a walk ends whatever its handler made of that: judged, the error of a clean-up or of a closing door
    would become a letter for an innocent event, or a retry that outlives its lane and keeps `stop` waiting.
    A cancellation from inside the handler would end the walk in silence, and its ticket would stay open.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise asyncio.CancelledError from error
    if isinstance(error, Exception):
        return error
    broken = BrokenOff("the handler was cancelled from inside")
    broken.__cause__ = error
    return broken

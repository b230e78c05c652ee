"""Waiting for a sign or for a time, whichever comes first, by a clock that tests can wind."""

import asyncio

from stream.core.clock import Clock


async def woken(sign: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Return once `sign` is set, or after `seconds` (None: never); the sign may be set afterwards without a cause."""
    if seconds is None:
        await sign.wait()
        return
    alarm = asyncio.create_task(clock.sleep(seconds))
    # One that was called off gives no sign: it would wake the next wait, which calls off its own, and so on for ever.
    alarm.add_done_callback(lambda done: None if done.cancelled() else sign.set())
    try:
        await sign.wait()
    finally:
        alarm.cancel()

"""The account's balance, asked for so seldom that it costs the contract next to nothing.

Comes in: nothing but time. Goes out: the balance, to the recorder. Whatever else PixelAPI answers changes nothing here:
the walks find out about keys, credits and outages by themselves (L8).
"""

import structlog

from stream.core.clock import Clock
from stream.core.errors import StreamError
from stream.events import Priority
from stream.metrics.port import Recorder
from stream.pixelapi.port import PixelApi
from stream.quota.port import Ask, AskKind, Quota

log = structlog.get_logger(__name__)

FIRST_SECONDS = 60.0
"""The first question comes early, so that a new deployment soon shows what is left."""
SMALLEST_PART = 100
"""At most one in so many of this process's requests is a question for the balance."""


class BalanceWatch:
    """Asks every `every_seconds`, or more seldom where that would be more than one in a hundred requests."""

    def __init__(
        self,
        api: PixelApi,
        quota: Quota,
        clock: Clock,
        recorder: Recorder,
        *,
        every_seconds: float,
        request_seconds: float,
    ) -> None:
        """`request_seconds`: the window by the requests this process may send in it."""
        self._api = api
        self._quota = quota
        self._clock = clock
        self._recorder = recorder
        self._every = max(every_seconds, SMALLEST_PART * request_seconds)

    async def run(self) -> None:
        """Ask until cancelled."""
        await self._clock.sleep(min(FIRST_SECONDS, self._every))
        while True:
            await self._ask()
            await self._clock.sleep(self._every)

    async def _ask(self) -> None:
        """One question, behind everything else that waits."""
        grant = await self._quota.admit(Ask(AskKind.ACCOUNT, Priority.REPLAY))
        try:
            balance = await self._api.balance()
        except StreamError as error:
            log.info("balance-not-told", cause=str(error))
        else:
            if balance.credits is not None:
                self._recorder.balance(balance.credits)
        finally:
            grant.answered()

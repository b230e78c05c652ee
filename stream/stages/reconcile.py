"""The price book against what PixelAPI says it charged: every answer that differs is counted, and told once.

Comes in: the `credits_used` of answers. Goes out: the amount for the ledger, a metric and a bounded number of warnings.
"""

from collections.abc import Mapping
from decimal import Decimal

import structlog

from stream.metrics.port import Recorder
from stream.pixelapi.port import JobReport, JobState

log = structlog.get_logger(__name__)

MOST_WARNINGS = 100
"""Differences remembered: prices come from outside, and an answer could name another one each time."""
NOTHING = Decimal(0)


def told_by(report: JobReport) -> Decimal | None:
    """What the answer says the job costs. A 0 before its end means not charged yet: nothing is told."""
    return None if report.state is JobState.RUNNING and not report.credits else report.credits


class Reconciliation:
    """One per process; knows which differences were told already."""

    def __init__(self, prices: Mapping[str, Decimal], recorder: Recorder) -> None:
        """`prices`: credits per job, by operation."""
        self._prices = prices
        self._recorder = recorder
        self._told: set[tuple[str, Decimal]] = set()

    def price(self, operation: str) -> Decimal:
        """The book's price of a job: what counts until PixelAPI says otherwise; 0 where the book has none."""
        return self._prices.get(operation, NOTHING)

    def compare(self, operation: str, told: Decimal | None) -> None:
        """PixelAPI named the price of a job that it took or completed. Call once per job and price."""
        book = self.price(operation)
        if told is None or told == book:
            return
        self._recorder.price_differed(operation)
        difference = (operation, told - book)
        if difference not in self._told and len(self._told) < MOST_WARNINGS:
            self._told.add(difference)
            log.warning(
                "price-mismatch", operation=operation, told_credits=str(told), book_credits=str(book),
                way_out="the ledger keeps what PixelAPI told; correct the price book (SKUSTREAM_PRICES) for forecasts",
            )  # fmt: skip

    def correct(self, operation: str, noted: Decimal, final: Decimal) -> None:
        """The ledger's amount of a job changed from `noted` to `final`: the difference was spent, or came back."""
        if final > noted:
            self._recorder.credited(operation, "spent", final - noted)
        elif final < noted:
            self._recorder.credited(operation, "refunded", noted - final)

"""The recorder that keeps nothing: for tools and tests that look elsewhere."""

from decimal import Decimal


class SilentRecorder:
    """Accepts every verb of `Recorder` and forgets it."""

    def received(self, stage: str, topic: str) -> None:
        """Forget it."""

    def finished(self, stage: str, outcome: str, priority: str, age_seconds: float) -> None:
        """Forget it."""

    def ignored(self, stage: str, entries: int) -> None:
        """Forget it."""

    def lettered(self, stage: str, reason: str) -> None:
        """Forget it."""

    def replayed(self, stage: str) -> None:
        """Forget it."""

    def in_flight(self, stage: str, tickets: int) -> None:
        """Forget it."""

    def oldest_open(self, stage: str, timestamp_seconds: float | None) -> None:
        """Forget it."""

    def lag(self, stage: str, topic: str, partition: int, records: int | None) -> None:
        """Forget it."""

    def retried(self, stage: str, cause: str) -> None:
        """Forget it."""

    def rebalanced(self, stage: str, event: str) -> None:
        """Forget it."""

    def committed(self, stage: str, seconds: float, records: int) -> None:
        """Forget it."""

    def aborted(self, stage: str, cause: str) -> None:
        """Forget it."""

    def paused(self, resource: str, *, is_paused: bool) -> None:
        """Forget it."""

    def flood_stopped(self, stage: str, reason: str, *, is_stopped: bool) -> None:
        """Forget it."""

    def requested(self, operation: str, code: str, seconds: float) -> None:
        """Forget it."""

    def job_ended(self, operation: str, state: str, seconds: float, polls: int) -> None:
        """Forget it."""

    def waited(self, kind: str, seconds: float) -> None:
        """Forget it."""

    def quota(self, used_requests: int, limit_requests: int, window_seconds: float, running_jobs: int) -> None:
        """Forget it."""

    def contract(self, requests: int) -> None:
        """Forget it."""

    def line(self, waiting_asks: int) -> None:
        """Forget it."""

    def useful_replicas(self, stage: str, replicas: float) -> None:
        """Forget it."""

    def credited(self, operation: str, cause: str, amount_credits: Decimal) -> None:
        """Forget it."""

    def balance(self, left_credits: Decimal) -> None:
        """Forget it."""

    def price_differed(self, operation: str) -> None:
        """Forget it."""

    def stored(self, action: str, seconds: float) -> None:
        """Forget it."""

    def store_failed(self, action: str) -> None:
        """Forget it."""

    def spans(self, outcome: str, count: int) -> None:
        """Forget it."""

    def progressed(self) -> None:
        """Forget it."""

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """An empty page: there is nothing to tell."""
        del accept
        return b"", "text/plain; version=0.0.4; charset=utf-8"

"""Running-job slots: which job keys run at the provider on our account. Pure.

Comes in: submits granted, jobs adopted, jobs ended. Goes out: whether another job may start.
"""

ADOPTED = object()


class Slots:
    """At most `maximum` job keys run; adopted ones count even beyond it.

    A key's slot is held by everyone who took it: two grants for one key, of which one loses the claim, keep one slot.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._holders: dict[str, set[object]] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def fits(self, job_key: str) -> bool:
        """Whether `job_key` may run: a slot is free, or it runs already."""
        return len(self._holders) < self._maximum or job_key in self._holders

    def take(self, job_key: str, holder: object) -> None:
        """`holder` (a grant) starts the job."""
        self._holders.setdefault(job_key, set()).add(holder)

    def adopt(self, job_key: str) -> None:
        """The job runs already. Idempotent."""
        self.take(job_key, ADOPTED)

    def let_go(self, job_key: str, holder: object) -> None:
        """`holder` started nothing; whoever else holds the job's slot keeps it. Idempotent."""
        holders = self._holders.get(job_key)
        if holders is not None:
            holders.discard(holder)
            if not holders:
                del self._holders[job_key]

    def release(self, job_key: str) -> None:
        """The job does not run any more, whoever started it. Idempotent."""
        self._holders.pop(job_key, None)

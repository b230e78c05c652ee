"""`skustream gc` as a command: started, killed from outside, its answer read."""

import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.composed.worker import command, surroundings
from tests.services import leash
from tests.services.waiting import until

if TYPE_CHECKING:
    import subprocess


class GcProcess:
    """One run with these settings in its environment."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], words: Sequence[str]) -> None:
        self.log = folder / f"{name}.log"
        self._environment = surroundings() | dict(settings)
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "GcProcess":
        """Begin; it may be over when this returns."""
        with self.log.open("wb") as log:
            self._process = leash.start([*command(), "gc", "--json", *self._words], log=log, env=self._environment)
        return self

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and gone."""
        assert self._process is not None
        leash.reap(self._process, signal.SIGKILL, timeout_seconds=10)

    def answer(self) -> dict[str, Any]:
        """What it says once it ended in order. Raises TimeoutError, and fails for any other exit code than 0."""
        assert self._process is not None
        until(lambda: not self.is_running, timeout_seconds=150, what="the end of gc")
        assert leash.reap(self._process, signal.SIGCONT, timeout_seconds=5) == 0, self.log.read_text()
        found: dict[str, Any] = json.loads(self.log.read_text())
        return found

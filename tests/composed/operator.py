"""`skustream dlq replay|discard` as a person starts it: a process, killed from outside, its answer read."""

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


class Operator:
    """One command with these settings in its environment."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], words: Sequence[str]) -> None:
        self.log = folder / f"{name}.log"
        self._environment = surroundings() | dict(settings)
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Operator":
        """Begin; it may be over when this returns."""
        with self.log.open("wb") as log:
            self._process = leash.start([*command(), "dlq", *self._words], log=log, env=self._environment)
        return self

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def tell(self, sig: signal.Signals) -> None:
        """Only send a signal: SIGINT, SIGSTOP, SIGCONT."""
        assert self._process is not None
        self._process.send_signal(sig)

    def kill(self) -> None:
        """SIGKILL, and gone."""
        assert self._process is not None
        leash.reap(self._process, signal.SIGKILL, timeout_seconds=10)

    def said(self) -> str:
        """What it wrote, on either stream."""
        return self.log.read_text(errors="replace")

    def wait_end(self, *, timeout_seconds: float = 120) -> int:
        """Its exit code. Raises TimeoutError."""
        assert self._process is not None
        until(lambda: not self.is_running, timeout_seconds=timeout_seconds, what=f"the end of {self._words}")
        return leash.reap(self._process, signal.SIGCONT, timeout_seconds=5)

    def answer(self, *, code: int = 0) -> dict[str, Any]:
        """The JSON document among what it wrote, once it ended with `code`."""
        ended = self.wait_end()
        said = self.said()
        assert ended == code, said
        found, _ = json.JSONDecoder().raw_decode(said[said.index("{\n") :])
        return dict(found)

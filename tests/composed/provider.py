"""The simulated provider as a process of its own, and its back door as methods."""

import json
import signal
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.services import leash
from tests.services.waiting import free_ports, listens, until

if TYPE_CHECKING:
    import subprocess

API_KEY = "pk_test_3f9c1d7e5b"
QUICK = {"minimum_seconds": 0.05, "maximum_seconds": 0.3}
OPERATIONS = ("remove-background", "upscale", "replace-background")


class Provider:
    """`python -m stream.simulator`: jobs of `QUICK` latency, no contract, every fault on request."""

    def __init__(self, folder: Path, behaviour: dict[str, Any] | None = None) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.log = folder / "provider.log"
        self.port = free_ports(1)[0]
        self.root = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.root}/v1"
        # Whether the real usage names inputs is unknown: lost jobs cannot be found unless a test says they can.
        asked = {"default_latency": QUICK, "credits_in_poll": True, "usage_enabled": False, **(behaviour or {})}
        command = [
            sys.executable, "-m", "stream.simulator", "--port", str(self.port), "--api-key", API_KEY,
            "--photos", str(self.photos), "--behaviour", json.dumps(asked),
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self._process: subprocess.Popen[bytes] = leash.start(command, log=log)
        try:
            until(self._serves, timeout_seconds=150, what="the provider")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; its books are gone."""
        leash.reap(self._process, signal.SIGKILL, timeout_seconds=5)

    def behave(self, **patch: Any) -> None:
        """Change what it is like from now on."""
        self._call("/_sim/behaviour", json.dumps(patch).encode())

    def ledger(self) -> dict[str, Any]:
        """Every request, every job, every credit."""
        found: dict[str, Any] = self._call("/_sim/ledger")
        return found

    def summary(self, window_seconds: float | None = None) -> dict[str, Any]:
        """The totals; the sliding window as long as told."""
        asked = f"?window_seconds={window_seconds}" if window_seconds else ""
        found: dict[str, Any] = self._call("/_sim/summary" + asked)
        return found

    def open_submits(self) -> list[dict[str, Any]]:
        """Submits that arrived and have no answer yet."""
        found: list[dict[str, Any]] = self._call("/_sim/open")["submits"]
        return found

    def open_now(self) -> tuple[list[dict[str, Any]], int]:
        """Open submits, and how many jobs run."""
        now = self._call("/_sim/open")
        return now["submits"], now["running"]

    def jobs(self) -> list[dict[str, Any]]:
        """Every accepted job."""
        found: list[dict[str, Any]] = self.ledger()["jobs"]
        return found

    def accepted(self) -> int:
        """How many jobs were taken so far."""
        return int(self.summary()["submits_accepted"])

    def _serves(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the provider died:\n{self.log.read_text(errors='replace')[-4000:]}")
        return listens(self.port)

    def _call(self, path: str, body: bytes | None = None) -> Any:
        method = "GET" if body is None else "PUT"
        request = urllib.request.Request(self.root + path, data=body, method=method)  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

"""One worker as its own process, by the installed command: started, stopped, frozen and killed from outside."""

import json
import os
import re
import signal
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.services import leash
from tests.services.waiting import free_ports, until

if TYPE_CHECKING:
    import subprocess

_START_SECONDS = 120.0
_STOP_SECONDS = 120.0


class WorkerProcess:
    """A `skustream run` with these settings in its environment. Its lives share one log."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], stages: Sequence[str] = ()) -> None:
        self.name = name
        self._arguments = [word for stage in stages for word in ("--stage", stage)]
        self.log = folder / f"{name}.log"
        self._port = 0
        self._spool = folder / f"spool-{name}"
        self._environment = surroundings() | {
            "SKUSTREAM_SPOOL_DIR": str(self._spool), "SKUSTREAM_LOG_FORMAT": "json", "PYTHONFAULTHANDLER": "1",
            **settings,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "WorkerProcess":
        """Begin a life; it is not in its groups yet when this returns."""
        self._port = free_ports(1)[0]  # for this life: between two of them somebody else may take it
        environment = {**self._environment, "SKUSTREAM_HTTP_PORT": str(self._port)}
        with self.log.open("ab") as log:
            self._process = leash.start([*command(), "run", *self._arguments], log=log, env=environment)
        return self

    def wait_ready(self) -> "WorkerProcess":
        """Return once it is in all its groups and nothing is missing around it. Raises TimeoutError, RuntimeError."""
        until(lambda: self.reasons() == [], timeout_seconds=_START_SECONDS, what=f"{self.name} ready")
        return self

    def reasons(self) -> list[str]:
        """What `/readyz` says is missing; a sentence of our own when it does not answer."""
        if not self.is_running:
            raise RuntimeError(f"{self.name} died:\n{self.last_words()}")
        return self._ask("/readyz")

    def ailments(self) -> list[str]:
        """What `/livez` says."""
        return self._ask("/livez")

    def gauge(self, name: str) -> float:
        """The sum of a metric's series, as Prometheus would scrape them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as answer:
            page = answer.read().decode()
        found = re.findall(rf"^{name}\{{[^}}]*\}} (\S+)$", page, re.MULTILINE)
        assert found, f"no series of {name}"
        return sum(map(float, found))

    @property
    def port(self) -> int:
        """Where it answers, in its present life."""
        return self._port

    @property
    def address(self) -> str:
        """Its host and port, as a scraper is told them."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Of the present life."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it lives (frozen counts)."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and gone."""
        assert self._process is not None
        leash.reap(self._process, signal.SIGKILL, timeout_seconds=10)

    def tell(self, sig: signal.Signals) -> None:
        """Only send a signal: SIGSTOP, SIGCONT, SIGTERM."""
        os.kill(self.pid, sig)

    def wait_end(self) -> int:
        """The exit code, once it has left."""
        assert self._process is not None
        return leash.reap(self._process, signal.SIGCONT, timeout_seconds=_STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM, and wait for the orderly end: its exit code."""
        assert self._process is not None
        return leash.reap(self._process, signal.SIGTERM, timeout_seconds=_STOP_SECONDS)

    def owns_port(self, port: int) -> bool:
        """Whether a TCP connection of this life has `port` as its local end."""
        return self.is_running and bool(_inodes_of(port) & _sockets_of(self.pid))

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event word."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if f'"{event}"' in line and line.startswith("{")]

    def confess(self) -> None:
        """Write every thread's stack into the log and end: for a failed test, where a thread may hang."""
        if self._process is not None and self.is_running:
            self.tell(signal.SIGCONT)
            leash.reap(self._process, signal.SIGABRT, timeout_seconds=10)

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-12_000:] if self.log.exists() else ""

    def _ask(self, path: str) -> list[str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
                found: list[str] = json.load(answer)["reasons"]
        except urllib.error.HTTPError as answer:
            with answer:
                found = json.load(answer)["reasons"]
        except OSError as error:
            found = [f"no answer: {error}"]
        return found


_OURS = ("SKUSTREAM_", "PIXELAPI_", "KAFKA_", "AWS_", "OTEL_")


def surroundings() -> dict[str, str]:
    """Our environment without anything that would be a setting."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}


def command() -> list[str]:
    """How to start `skustream`."""
    installed = Path(sysconfig.get_path("scripts")) / "skustream"
    return [str(installed)] if installed.exists() else [sys.executable, "-c", _FRONT_DOOR]


_FRONT_DOOR = "from stream.cli.main import main; main()"
"""What the installed command runs, for a tree that was never installed."""


def _inodes_of(port: int) -> set[str]:
    """Socket inodes whose local port is `port`, from the kernel's table."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(fields[9])
    return inodes


def _sockets_of(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = link.readlink().name
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found

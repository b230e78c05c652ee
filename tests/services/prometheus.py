"""Prometheus, its promtool and Alertmanager, from Debian: real processes on loopback that end with us."""

import json
import shutil
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services import ServiceMissing, leash
from tests.services.waiting import free_ports, until

INSTEAD = "apt-get update && apt-get install --yes --no-install-recommends prometheus prometheus-alertmanager"
START_SECONDS = 60.0
SCRAPE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """What is scraped: its address, its job, and what Kubernetes would put on."""

    address: str
    job: str = "skustream"
    labels: Mapping[str, str] = field(default_factory=dict)


def find(*names: str) -> str:
    """The path of a program, by the first of its names that is there. Raises ServiceMissing."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise ServiceMissing(f"alerts are tested with the real {names[0]}: {INSTEAD}")
    return found


def promtool() -> str:
    """The path of promtool. Raises ServiceMissing."""
    return find("promtool")


@contextmanager
def open_alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """An Alertmanager that tells `webhook` at once, also of the end. Yields its address. Raises ServiceMissing."""
    binary = find("prometheus-alertmanager", "alertmanager")
    (folder / "alertmanager.yml").write_text(json.dumps({
        "route": {"receiver": "us", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "us", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
    }))  # fmt: skip
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    words = [
        binary, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with _running(words, folder / "alertmanager.log", f"http://{address}/-/ready"):
        yield address


@contextmanager
def open_prometheus(folder: Path, *, targets: Sequence[Target], rules: Path, alertmanager: str) -> Iterator[str]:
    """A Prometheus that scrapes and judges `rules` every second. Yields its address. Raises ServiceMissing."""
    binary = find("prometheus")
    (folder / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": f"{SCRAPE_SECONDS:g}s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [
                {"targets": [target.address], "labels": dict(target.labels)} for target in targets if target.job == job
            ]}
            for job in {target.job for target in targets}
        ],
    }))  # fmt: skip
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    words = [
        binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}", "--rules.alert.resend-delay=1s",
    ]  # fmt: skip
    with _running(words, folder / "prometheus.log", f"http://{address}/-/ready"):
        yield address


def ask(address: str, path: str) -> Any:
    """An answer of Prometheus's HTTP interface."""
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return json.load(answer)["data"]


def ask_number(address: str, expr: str) -> float | None:
    """The one figure that an expression comes to now; None where it comes to nothing."""
    found = ask(address, f"/api/v1/query?{urllib.parse.urlencode({'query': expr})}")["result"]
    return float(found[0]["value"][1]) if found else None


@contextmanager
def _running(words: list[str], log_path: Path, ready: str) -> Iterator[None]:
    with log_path.open("wb") as log:
        process = leash.start(words, log=log)

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{words[0]} died:\n{log_path.read_text(errors='replace')[-4000:]}")
        try:
            with urllib.request.urlopen(ready, timeout=2) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        until(answers, timeout_seconds=START_SECONDS, what=words[0])
        yield
    finally:
        leash.reap(process, signal.SIGKILL, timeout_seconds=10)

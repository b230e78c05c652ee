"""One evening on call, with everything real: workers on Kafka and S3, a provider that misbehaves, Prometheus, a pager.

Comes in: a plant. Goes out: what the pager was told, and a Prometheus that has seen load, letters of several kinds,
429s and 5xx, a retry that was put off, a lost answer and a pause.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.composed.plant import STAGES, Plant
from tests.composed.worker import WorkerProcess
from tests.oncall.rules import RULES
from tests.services.prometheus import Target, ask_number, open_alertmanager, open_prometheus
from tests.services.waiting import until

PATIENCE_SECONDS = 120.0
OUT_OF_CREDITS = "SkustreamOutOfCredits"
HURRIED = {OUT_OF_CREDITS, "SkustreamAmbiguousSubmits"}
"""Alerts that ring as soon as they are true; a busy machine cannot make the others ring."""
JOBS = ("skustream", "bare")
DEADLINE_SECONDS = 4.0
"""Of a job; what outlasts it is put off."""
MISCHIEF: list[dict[str, Any]] = [
    {"kind": "error", "at": "submit", "status": 429, "times": 1},
    {"kind": "error", "at": "submit", "status": 503, "match": {"url": "/LOST-1/"}},
    {"kind": "error", "at": "poll", "status": 500, "times": 2},
    {"kind": "accept-drop", "match": {"url": "/LOST-"}},
    {"kind": "failed", "match": {"url": "/FAIL-"}},
    {"kind": "never-ends", "match": {"url": "/STUCK-"}},
]
SEEN = {
    "completed ones": ('skustream_events_finished_total{outcome="completed"}', 6),
    "a superseded one": ('skustream_events_finished_total{outcome="superseded"}', 1),
    "one put off": ('skustream_events_finished_total{outcome="postponed"}', 1),
    "backfill": ('skustream_events_finished_total{outcome="completed", priority="backfill"}', 1),
    "letters for lost answers": ('skustream_dead_letters_total{reason="ambiguous-submit"}', 1),
    "letters for failed jobs": ('skustream_dead_letters_total{reason="job-failed"}', 1),
    "letters for missing photos": ('skustream_dead_letters_total{reason="source-missing"}', 1),
    "letters for what is no event": ('skustream_dead_letters_total{reason="invalid-event"}', 1),
    "429s": ('skustream_api_request_seconds_count{code="429"}', 1),
    "503s": ('skustream_api_request_seconds_count{code="503"}', 1),
    "500s": ('skustream_api_request_seconds_count{code="500"}', 1),
    "a balance": ("skustream_balance_credits > 0", 1),
    "a pause": ("max_over_time(skustream_intake_paused[10m])", 1),
    # Known with the client's statistics, every five seconds; a board that looks back in steps sees it a step later.
    "the lag of retries": ('skustream_lag_records{topic=~".+[.]retry[.].+"} offset 5s', 0),
    "an alert": ('ALERTS{alertstate="firing"}', 1),
}
"""What Prometheus must have seen of either job before anybody looks at a board, and how much of it."""


@dataclass(slots=True)
class Scene:
    """The evening, once all has been seen."""

    prometheus: str
    began: float
    first_alert: list[dict[str, Any]] = field(default_factory=list)
    """What the pager was told while only the account was empty."""
    first_seconds: float = 0.0
    """How long that took."""
    rules: list[dict[str, Any]] = field(default_factory=list)
    ended: float = 0.0


@contextmanager
def open_webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Somebody's pager: its address, and every alert it was told."""
    told: list[dict[str, Any]] = []

    class Pager(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pager)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def hurried(folder: Path) -> Path:
    """The shipped rules, some of them without their patience: promtool proves what all of them wait for."""
    folder.mkdir()
    for path in RULES:
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") in HURRIED:
                    rule.pop("for", None)
                    rule.pop("keep_firing_for", None)
        (folder / path.name).write_text(yaml.safe_dump(rules))
    return folder / "*.yaml"


def scraped(workers: list[WorkerProcess]) -> list[Target]:
    """Every worker twice: as in Kubernetes, and as outside of it, without namespace and pod."""
    kubernetes, bare = JOBS
    return [
        *(Target(worker.address, kubernetes, {"namespace": "shop", "pod": worker.name}) for worker in workers),
        *(Target(worker.address, bare) for worker in workers),
    ]


@contextmanager
def open_scene(plant: Plant, folder: Path) -> Iterator[Scene]:
    """The evening, told to its end. Everything but the plant ends with the context."""
    plant.pipeline(retries={"retries-exhausted": [], "job-overdue": ["10s"]}, deadline_seconds=DEADLINE_SECONDS)
    settings = {"SKUSTREAM_BALANCE_SECONDS": "1"}
    workers = [plant.worker(**settings), plant.worker(STAGES[-1], **settings)]
    for worker in workers:
        worker.wait_ready()
    with (
        open_webhook() as (webhook, told),
        open_alertmanager(folder, webhook) as alertmanager,
        open_prometheus(
            folder, targets=scraped(workers), rules=hurried(folder / "rules"), alertmanager=alertmanager
        ) as prometheus,
    ):
        scene = Scene(prometheus, time.time())
        _wait(prometheus, "the first scrapes", f"sum(up) == {len(workers) * len(JOBS)}")
        _run_out_of_credits(plant, told)
        scene.first_alert, scene.first_seconds = list(told), time.time() - scene.began
        _misbehave(plant)
        for what, (expr, least) in SEEN.items():
            _wait(prometheus, what, f"count(sum by (job) ({expr}) >= {least}) == {len(JOBS)}")
        scene.ended = time.time()
        yield scene


def _run_out_of_credits(plant: Plant, told: list[dict[str, Any]]) -> None:
    """An empty account, until the pager has heard of it and of its end."""

    def rings(status: str) -> bool:
        return any(each["labels"]["alertname"] == OUT_OF_CREDITS and each["status"] == status for each in told)

    plant.provider.behave(balance_credits=0)
    first = plant.event("MUG")
    plant.send(first)
    until(lambda: rings("firing"), timeout_seconds=PATIENCE_SECONDS, what=f"{OUT_OF_CREDITS} at the webhook")
    plant.provider.behave(balance_credits=300_000)
    until(lambda: rings("resolved"), timeout_seconds=PATIENCE_SECONDS, what=f"the end of {OUT_OF_CREDITS}")
    plant.wait_events(first["event_id"], timeout_seconds=PATIENCE_SECONDS)


def _misbehave(plant: Plant) -> None:
    """Load of every kind, and a provider with moods."""
    plant.provider.behave(faults=MISCHIEF)
    plant.send_new(8, sku="GOOD")
    plant.send(*(plant.event(f"OLD-{number}") for number in range(4)), to="raw.backfill")
    newer, older = (plant.event("TWICE", version=f"{place}", sequence=place) for place in (2, 1))
    plant.send(newer, older)
    for kind in ("FAIL", "LOST", "STUCK"):
        plant.send_new(2, sku=kind)
    missing = {"sku_id": "NONE", "raw_url": f"{plant.provider.root}/photos/none.jpg", "version": "1"}
    plant.send(missing, b"no event", key="NONE")


def _wait(prometheus: str, what: str, expr: str) -> None:
    until(lambda: ask_number(prometheus, expr) is not None, timeout_seconds=PATIENCE_SECONDS, what=what)

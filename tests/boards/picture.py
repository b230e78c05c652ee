"""The boards' pictures in docs: `python -m tests.boards.picture docs` (about six minutes).

Real workers on a real Kafka and a real S3, under load with faults; a real Prometheus; the boards drawn from their JSON
and its answers, by a browser. Not a screenshot of Grafana, and the pictures' captions say so.
"""

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyvips

from tests.boards.drawing import page
from tests.boards.grafana import Moment, Prometheus, questions, words_of
from tests.boards.paper import GRAFANA
from tests.composed.plant import STAGES, Plant
from tests.oncall.scene import hurried, open_webhook, scraped
from tests.services.chromium import find_chromium, open_chromium
from tests.services.kafka import open_kafka
from tests.services.prometheus import open_alertmanager, open_prometheus
from tests.services.s3 import S3Server

MINUTES = 5
EVERY_SECONDS = 1.0
SCRAPE_SECONDS = 5.0
"""What the boards are told; scraped is every second."""
CONTRACT = {"SKUSTREAM_QUOTA_REQUESTS": "60", "SKUSTREAM_QUOTA_WINDOW_SECONDS": "6"}
PATIENT = {"minimum_seconds": 0.4, "maximum_seconds": 1.5}
PICTURES = {"skustream-pipeline": (3, "board-pipeline"), "skustream-catalog": (99, "board-catalog")}
"""Board → how many of its rows, and the picture's name."""
FAULTS: dict[int, dict[str, Any]] = {
    60: {"balance_credits": 0},
    80: {"balance_credits": 300_000},
    110: {"faults": [{"kind": "error", "at": "submit", "status": 429, "times": 4}]},
    150: {"faults": [{"kind": "failed", "probability": 0.5}, {"kind": "accept-drop", "times": 2}]},
    200: {"faults": [{"kind": "error", "at": "poll", "status": 500, "probability": 0.2}]},
    230: {"faults": [{"kind": "never-ends", "times": 3}]},
    240: {"faults": []},
}
"""Second of the run → what the provider is like from then on."""


def load(plant: Plant) -> None:
    """Events of several kinds, and a provider whose mood changes, for `MINUTES`."""
    began, number, moods = time.monotonic(), 0, sorted(FAULTS)
    plant.send(*(plant.event(f"OLD-{place}") for place in range(30)), to="raw.backfill")
    while (passed := time.monotonic() - began) < MINUTES * 60:
        while moods and moods[0] <= passed:
            plant.provider.behave(**FAULTS[moods.pop(0)])
        number += 1
        if number % 23 == 0:
            plant.send({"sku_id": "GONE", "raw_url": f"{plant.provider.root}/photos/gone.jpg", "version": str(number)})
        elif number % 41 == 0:
            plant.send(b"no event")
        else:
            plant.send(plant.event(f"SHIRT-{number}"))
        time.sleep(EVERY_SECONDS)


@contextlib.contextmanager
def evening(folder: Path) -> Iterator[tuple[str, Moment]]:
    """A Prometheus that has seen it, and what of it to show."""
    kafka, s3 = open_kafka(), S3Server().start()
    plant = Plant(kafka, s3, folder, "shop", behaviour={"default_latency": PATIENT})
    try:
        plant.pipeline(retries={"retries-exhausted": ["10s"], "job-overdue": ["10s"]}, deadline_seconds=6.0)
        settings = {**CONTRACT, "SKUSTREAM_QUOTA_SHARE": "1/2", "SKUSTREAM_BALANCE_SECONDS": "10"}
        workers = [plant.worker(**settings), plant.worker(*STAGES, **settings)]
        for worker in workers:
            worker.wait_ready()
        targets = [target for target in scraped(workers) if target.labels]
        with (
            open_webhook() as (webhook, _),
            open_alertmanager(folder, webhook) as pager,
            open_prometheus(folder, targets=targets, rules=hurried(folder / "rules"), alertmanager=pager) as prometheus,
        ):
            began = time.time()
            load(plant)
            yield prometheus, Moment(began, time.time(), SCRAPE_SECONDS)
    finally:
        plant.close()
        s3.stop()
        kafka.stop()


def draw(prometheus: str, moment: Moment, folder: Path, docs: Path) -> None:
    """Write the pictures into `docs`."""
    asked = Prometheus(prometheus)
    with open_chromium(find_chromium(), folder / "browser") as browser:
        for path in sorted((GRAFANA / "dashboards").glob("*.json")):
            board, (rows, name) = json.loads(path.read_text()), PICTURES[path.stem]
            asked_for = list(questions(board, {**moment.words(), **words_of(board, {})}))
            html = folder / f"{name}.html"
            html.write_text(page(board, lambda each: asked.ask(each, moment), asked_for, moment, rows))
            tab = browser.new_page()
            tab.goto(html.as_uri())
            tab.locator("body").screenshot(path=folder / f"{name}.png")
            pyvips.Image.new_from_file(str(folder / f"{name}.png")).write_to_file(
                str(docs / f"{name}.webp"), Q=70, effort=6, strip=True
            )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="boards-") as place, evening(Path(place)) as (seen, shown):
        draw(seen, shown, Path(place), Path(sys.argv[1]))

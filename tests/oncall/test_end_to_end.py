"""Once with everything real: a fault at the provider, a worker, Prometheus, Alertmanager, a webhook; and back."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.oncall.rules import RULES, RUNBOOK
from tests.oncall.site import open_site
from tests.services.prometheus import ask, open_alertmanager, open_prometheus
from tests.services.waiting import until

PATIENCE_SECONDS = 60.0
ALERT = "SkustreamOutOfCredits"


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
    """The shipped rules, the one in question as soon as it is true: what they wait for is proved by promtool."""
    folder.mkdir()
    for path in RULES:
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") == ALERT:
                    rule.pop("for", None)
                    rule.pop("keep_firing_for", None)
        (folder / path.name).write_text(yaml.safe_dump(rules))
    return folder / "*.yaml"


@pytest.mark.usefixtures("watchers")
def test_an_account_without_credits_wakes_somebody_and_lets_them_sleep_again(tmp_path: Path) -> None:
    with (
        open_site(tmp_path) as site,
        open_webhook() as (webhook, told),
        open_alertmanager(tmp_path, webhook) as alertmanager,
        open_prometheus(
            tmp_path, target=site.address, rules=hurried(tmp_path / "rules"), alertmanager=alertmanager
        ) as prometheus,
    ):

        def rings(alert: str, status: str) -> bool:
            return any(each["labels"]["alertname"] == alert and each["status"] == status for each in told)

        def healthy() -> bool:
            targets = ask(prometheus, "/api/v1/targets?state=active")["activeTargets"]
            return [each["health"] for each in targets] == ["up"]

        until(healthy, timeout_seconds=PATIENCE_SECONDS, what="the first scrape")
        site.provider.behave(balance_credits=0)
        site.send({"sku_id": "MUG", "raw_url": site.photo("mug.jpg"), "version": "1"})
        until(lambda: rings(ALERT, "firing"), timeout_seconds=PATIENCE_SECONDS, what=f"{ALERT} at the webhook")
        (page,) = {each["annotations"]["runbook_url"] for each in told if each["labels"]["alertname"] == ALERT}
        assert (RUNBOOK.parents[1] / page).exists()
        assert {each["labels"]["severity"] for each in told if each["labels"]["alertname"] == ALERT} == {"critical"}
        site.provider.behave(balance_credits=300_000)
        until(lambda: rings(ALERT, "resolved"), timeout_seconds=PATIENCE_SECONDS, what=f"the end of {ALERT}")
        rules = [rule for group in ask(prometheus, "/api/v1/rules")["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
        until(
            lambda: site.total("skustream_committed_records_total") == 1, timeout_seconds=PATIENCE_SECONDS, what="MUG"
        )
    assert {each["labels"]["alertname"] for each in told} == {ALERT}

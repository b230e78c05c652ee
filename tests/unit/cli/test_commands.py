"""Each command hands the right things to its room, and says what came of it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from stream.settings import Settings
from tests.services.waiting import free_ports
from tests.unit.cli.conftest import Skustream

if TYPE_CHECKING:
    from stream.demo.run import DemoOptions


@dataclass
class Worker:
    """In place of the assembly: notes what it is given."""

    code: int = 0
    settings: list[Settings] = field(default_factory=list)
    stages: list[Sequence[str]] = field(default_factory=list)
    diary: list[dict[str, Any]] = field(default_factory=list)

    async def run(self, settings: Settings, stages: Sequence[str]) -> int:
        self.settings.append(settings)
        self.stages.append(stages)
        return self.code

    def configure(self, log_format: str, level: str, *, secrets: Sequence[str]) -> None:
        self.diary.append({"format": log_format, "level": level, "secrets": secrets})


class TestRun:
    @pytest.fixture
    def worker(self, monkeypatch: pytest.MonkeyPatch) -> Worker:
        made = Worker()
        monkeypatch.setattr("stream.assembly.run_worker", made.run)
        monkeypatch.setattr("stream.logs.configure", made.configure)
        return made

    def test_flags_reach_the_worker_as_settings(
        self, worker: Worker, skustream: Skustream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIXELAPI_KEY", "pk_secret")
        told = skustream(
            "run", "--stage", "upscale", "--stage", "lifestyle", "--stage", "upscale", "--bootstrap-servers", "k:9092",
            "--store", "s3://b/p", "--topic-prefix", "shop", "--delivery", "at-least-once", "--quota-requests", "30",
            "--quota-share", "1/3", "--http-host", "0.0.0.0", "--http-port", "0", "--log-format", "json",
            "--log-level", "debug", "--pipeline", "p.yaml", "--spool-dir", "/spool",
        )  # fmt: skip
        assert told.exit_code == 0, told.output
        (settings,) = worker.settings
        assert worker.stages == [["upscale", "lifestyle"]]
        assert settings.kafka_bootstrap_servers == "k:9092"
        assert (settings.store, settings.topic_prefix, settings.delivery) == ("s3://b/p", "shop", "at-least-once")
        assert (settings.share_requests, settings.http_host, settings.http_port) == (10, "0.0.0.0", 0)
        assert (settings.pipeline, settings.spool_dir) == (Path("p.yaml"), Path("/spool"))
        assert worker.diary == [{"format": "json", "level": "debug", "secrets": ["pk_secret"]}]

    def test_without_flags_the_surroundings_decide(
        self, worker: Worker, skustream: Skustream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "settings.yaml").write_text("topic_prefix: from-file\nhttp_port: 1\n")
        monkeypatch.setenv("SKUSTREAM_CONFIG", str(tmp_path / "settings.yaml"))
        monkeypatch.setenv("SKUSTREAM_HTTP_PORT", "2")
        assert skustream("run").exit_code == 0
        assert worker.stages == [[]]
        assert (worker.settings[0].topic_prefix, worker.settings[0].http_port) == ("from-file", 2)

    def test_the_workers_end_is_the_commands_end(self, worker: Worker, skustream: Skustream) -> None:
        worker.code = 130
        assert skustream("run").exit_code == 130

    def test_a_wrong_flag_is_named_and_nothing_is_started(self, worker: Worker, skustream: Skustream) -> None:
        told = skustream("run", "--store", "/somewhere")
        assert told.exit_code == 2
        assert told.stderr.startswith("skustream: --store: got '/somewhere'; expected s3://bucket/prefix or file:///")
        assert worker.settings == []


class TestPipeline:
    def test_the_shipped_one_is_shown(self, skustream: Skustream) -> None:
        rows = json.loads(skustream("pipeline", "show", "--json", "--topic-prefix", "shop").stdout)
        assert [row["stage"] for row in rows] == ["remove-bg", "upscale", "lifestyle", "thumbnails"]
        assert rows[0]["reads"] == ["shop.raw", "shop.raw.backfill"]
        assert rows[1]["group"] == "shop.upscale"
        shown = skustream("pipeline", "show").stdout
        assert "lifestyle: replace-bg (buys from PixelAPI)" in shown

    def test_a_good_file_is_in_order(self, skustream: Skustream, tmp_path: Path) -> None:
        path = tmp_path / "one.yaml"
        path.write_text("stages: [{name: cut, operation: remove-bg, needs: raw, makes: cutout}]\n")
        told = skustream("pipeline", "check", str(path))
        assert (told.exit_code, told.stdout) == (0, f"{path}: in order, 1 stages: cut\n")

    def test_a_wrong_file_is_exit_2_with_the_place(self, skustream: Skustream, tmp_path: Path) -> None:
        path = tmp_path / "one.yaml"
        path.write_text("stages: [{name: cut, operation: remove-gb, needs: raw, makes: cutout}]\n")
        told = skustream("pipeline", "check", str(path))
        assert told.exit_code == 2
        assert "did you mean remove-bg?" in told.stderr


class TestTopics:
    def test_no_servers_is_a_misconfiguration(self, skustream: Skustream) -> None:
        told = skustream("topics", "check")
        assert told.exit_code == 2
        assert "KAFKA_BOOTSTRAP_SERVERS is not set" in told.stderr

    def test_no_answer_is_exit_3(self, skustream: Skustream, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("stream.broker.admin.TIMEOUT_SECONDS", 0.2)
        (port,) = free_ports(1)
        told = skustream("topics", "create", "--bootstrap-servers", f"127.0.0.1:{port}")
        assert told.exit_code == 3
        assert told.stderr.startswith("skustream: unavailable (broker): Kafka does not answer")


class TestSimulate:
    def test_it_serves_until_it_is_told_to_stop(self, tmp_path: Path) -> None:
        (tmp_path / "behaviour.json").write_text('{"balance_credits": 5, "user_agent_check": false}')
        command = [
            sys.executable, "-c", "from stream.cli.main import main; main()", "simulate", "--port", "0", "--behaviour",
            str(tmp_path / "behaviour.json"), "--credits", "70", "--requests-per-minute", "1", "--api-key", "k",
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
            assert process.stdout is not None
            base = process.stdout.readline().strip()
            parts = urlsplit(base)
            asking = http.client.HTTPConnection(parts.netloc, timeout=10)
            asking.request("GET", f"{parts.path}/account/balance", headers={"Authorization": "Bearer k"})
            with asking.getresponse() as answer:
                assert json.load(answer)["credits_remaining"] == 70
                assert answer.headers["X-RateLimit-Remaining"] == "0"
            asking.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0

    @pytest.mark.parametrize(
        ("behaviour", "complaint"),
        [
            ('{"seed": "x"}', "--behaviour: seed: "),
            ('{"sede": 1}', "--behaviour: sede: "),
            ("{", "--behaviour is not JSON"),
            ("missing.json", "no JSON object and no readable file"),
        ],
    )
    def test_wrong_manners_are_exit_2(self, behaviour: str, complaint: str, skustream: Skustream) -> None:
        told = skustream("simulate", "--behaviour", behaviour)
        assert told.exit_code == 2
        assert complaint in told.stderr


def test_demo_hands_its_options_over(skustream: Skustream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[DemoOptions] = []

    async def run_demo(options: "DemoOptions") -> int:
        given.append(options)
        return 1

    monkeypatch.setattr("stream.demo.run.run_demo", run_demo)
    assert skustream("demo", "--out", str(tmp_path), "--count", "3", "--serve").exit_code == 1
    (options,) = given
    assert (options.out, options.count, options.serve) == (tmp_path, 3, True)

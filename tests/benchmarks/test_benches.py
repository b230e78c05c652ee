"""Every bench runs in its smallest form and tells figures; what they are proves nothing here, and is not asserted."""

import json
import subprocess
import sys

import pytest

from benchmarks.__main__ import BENCHES, table_of
from benchmarks.figures import Figure, read
from tests.services.kafka import ExistingKafka, KafkaCluster


def _figures_of(bench: str) -> list[Figure]:
    command = [sys.executable, "-m", f"benchmarks.{bench}", "--small"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return read(done.stdout)


@pytest.mark.parametrize("bench", ["limiter", "rehost", "thumbnails"])
def test_a_bench_without_kafka_runs_and_tells_figures(bench: str) -> None:
    figures = _figures_of(bench)
    assert any(figure.target for figure in figures)
    assert all(figure.measured is not None or figure.note for figure in figures)


@pytest.mark.kafka
@pytest.mark.parametrize("bench", ["engine", "inflight", "letters"])
def test_a_bench_on_kafka_runs_and_tells_figures(
    bench: str, kafka: KafkaCluster | ExistingKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    figures = _figures_of(bench)
    assert any(figure.target for figure in figures)
    assert all(figure.measured is not None or figure.note for figure in figures)


def test_make_bench_knows_every_bench() -> None:
    assert set(BENCHES) == {"engine", "inflight", "letters", "limiter", "rehost", "thumbnails"}


@pytest.mark.parametrize(
    ("figure", "target", "met"),
    [
        (Figure("share", 15.0, "%", at_least=15), "≥ 15 %", True),
        (Figure("share", 14.9, "%", at_least=15), "≥ 15 %", False),
        (Figure("answers of 429", 0.0, at_most=0), "≤ 0", True),
        (Figure("answers of 429", 1.0, at_most=0), "≤ 0", False),
        (Figure("share", None, "%", at_least=15, note="not installed"), "≥ 15 %", None),
        (Figure("rate", 3.0, "/s"), "", None),
    ],
)
def test_a_target_is_met_at_its_limit_and_a_missing_measurement_meets_nothing(
    figure: Figure, target: str, *, met: bool | None
) -> None:
    assert (figure.target, figure.met) == (target, met)


def test_the_table_calls_a_missed_target_missed_and_figures_survive_the_pipe() -> None:
    missed = Figure("share", 14.9, "%", at_least=15)
    assert read(json.dumps([{"name": "share", "measured": 14.9, "unit": "%", "at_least": 15}])) == [missed]
    columns = {column.header: list(column.cells) for column in table_of({"engine": [missed]}).columns}
    assert columns["met"] == ["MISSED"]

"""`skustream explain` on the broker inside librdkafka: no times, no retry topics, whatever is missing is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stream.broker.embedded import EmbeddedBroker
from stream.broker.port import OutRecord
from stream.broker.publishing import publish
from stream.cli.main import app
from stream.topics import Topics

TOPICS = Topics()
BETWEEN = ("transparent", "upscaled", "lifestyle")
Explain = Callable[..., Result]


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    """Types the command, at a broker where the event of SHOE-1 lies; `topics` exist."""

    def run(*words: str, topics: tuple[str, ...]) -> Result:
        with EmbeddedBroker() as broker:
            if topics:
                broker.create_topics(topics)
                event = OutRecord(TOPICS.raw, b"SHOE-1", b'{"sku_id": "SHOE-1", "raw_url": "https://x.example.com/a"}')
                assert publish({"bootstrap.servers": broker.bootstrap_servers}, [event]).acknowledged == 1
            environment = {
                "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "SKUSTREAM_STORE": (tmp_path / "store").as_uri(),
            }  # fmt: skip
            return CliRunner().invoke(app, ["explain", *words], prog_name="skustream", env=environment)

    return run


def test_a_time_is_found_by_reading_everything_and_that_is_said(explain: Explain) -> None:
    every = (*TOPICS.entries(), *map(TOPICS.asset, BETWEEN), *TOPICS.retries(), TOPICS.completed, TOPICS.dead_letter)
    told = explain("SHOE-1", "--since", "2h", "--json", topics=every)
    assert told.exit_code == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["warnings"] == [
        "this broker cannot find records by time: all topics were read from their beginning"
    ]
    assert document["images"][0]["summary"] == "SHOE-1 main: in progress, 0 credits"


def test_missing_topics_are_said_and_the_others_told(explain: Explain) -> None:
    told = explain("SHOE-1", topics=(*TOPICS.entries(), TOPICS.completed))
    assert told.exit_code == 0, told.stderr
    *_, warning, summary = told.stdout.splitlines()
    assert warning == (
        "! there is no topic product-images.dead-letter, product-images.lifestyle, product-images.transparent, "
        "product-images.upscaled: what it held is not told"
    )
    assert summary == "SHOE-1 main: in progress, 0 credits"


def test_no_topic_at_all_is_a_mistake_of_the_prefix(explain: Explain) -> None:
    told = explain("SHOE-1", topics=())
    assert (told.exit_code, told.stdout) == (2, "")
    assert "skustream topics create, or another prefix" in told.stderr


@pytest.mark.parametrize("since", ["soon", "9999-99-99"])
def test_a_wrong_time_is_one_line(explain: Explain, since: str) -> None:
    told = explain("SHOE-1", "--since", since, topics=())
    assert told.exit_code == 2
    assert told.stderr.startswith(f"skustream: --since: got '{since}'; expected a time such as")


@pytest.mark.parametrize(("sku", "code"), [("\x1b[2J\u202e", 1), ("", 1), ("x" * 5000, 1), ("\udcff", 2)])
def test_a_hostile_sku_is_one_printable_line(explain: Explain, sku: str, code: int) -> None:
    told = explain(sku, topics=(TOPICS.raw,))
    assert told.exit_code == code, told.output
    assert [line.isprintable() for line in told.stderr.splitlines()] == [True]
    assert len(told.stderr) < 500

"""Replays on the broker inside librdkafka, as beside `skustream demo --serve`: at-least-once, and it says so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stream.broker.embedded import EmbeddedBroker
from stream.broker.port import InRecord
from stream.broker.publishing import publish
from stream.broker.scan import Scanner
from stream.cli.main import app
from stream.replays.book import take_marks
from stream.replays.marks import Fate, Marks
from stream.retries import read_note
from stream.topics import Topics
from tests.unit.letters.posted import event, posted

TOPICS = Topics()


class Desk:
    def __init__(self, broker: EmbeddedBroker, folder: Path) -> None:
        self.client = {"bootstrap.servers": broker.bootstrap_servers}
        self._environment = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "SKUSTREAM_DELIVERY": "at-least-once",
            "SKUSTREAM_STORE": folder.as_uri(), "TERM": "dumb",
        }  # fmt: skip

    def dlq(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["dlq", *words], prog_name="skustream", env=self._environment)

    def read(self, topic: str) -> list[InRecord]:
        with Scanner(self.client) as scanner:
            scanner.begin({partition: span.low for partition, span in scanner.spans([topic]).items()})
            return [record for records in scanner.read() for record in records]

    def marks(self) -> Marks:
        marks = Marks()
        take_marks(marks, self.read(TOPICS.replays))
        return marks


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with EmbeddedBroker() as broker:
        broker.create_topics([TOPICS.raw, TOPICS.dead_letter, TOPICS.replays, TOPICS.retry("now")])
        desk = Desk(broker, tmp_path)
        letters = [posted(event(f"SKU-{number}"), offset=number) for number in range(4)]
        assert publish(desk.client, letters).acknowledged == 4
        yield desk


def test_letters_go_back_with_their_marks_and_the_command_says_that_it_is_at_least_once(desk: Desk) -> None:
    result = desk.dlq("replay", "--sku", "SKU-0", "--sku", "SKU-1", "--ask-above", "1000", "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    assert (told["done"]["written"], told["plan"]["credits_are_at_most"]) == (2, True)
    assert "delivery is at-least-once here" in result.stderr
    notes = [read_note(record.headers) for record in desk.read(TOPICS.retry("now"))]
    assert sorted((note.origin.offset, note.stage, note.replay) for note in notes) == [
        (0, "remove-bg", 1), (1, "remove-bg", 1),
    ]  # fmt: skip
    again = desk.dlq("replay", "--all", "--ask-above", "1000", "--json")
    assert json.loads(again.stdout)["done"]["written"] == 2
    assert len(desk.read(TOPICS.retry("now"))) == len(desk.marks()) == 4


def test_letters_are_discarded(desk: Desk) -> None:
    result = desk.dlq("discard", "--all", "--why", "a rehearsal", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "4 letters discarded"
    assert {mark.fate for mark in desk.marks()} == {Fate.DISCARDED}

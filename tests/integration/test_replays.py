"""Replays and discards on a real Kafka, by the command: transactions, marks that count, operators that fence."""

import json
import secrets
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from stream.broker.port import InRecord, OutRecord
from stream.broker.publishing import publish
from stream.broker.transactions import Transactions, Undecided
from stream.core.clock import SystemClock
from stream.core.errors import Reason
from stream.events import Origin, Priority
from stream.images.inspect import ImageLimits
from stream.letters.dialects import read_letter
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.objects.memory import MemoryStore
from stream.pipeline import default_pipeline
from stream.prices import load_prices
from stream.records import read_stage_record
from stream.replays.bench import Bench, BenchParts
from stream.replays.book import take_marks
from stream.replays.marks import Fate, Mark, Marks
from stream.replays.reentry import Wish
from stream.replays.sending import Decision, Pace, Sender
from stream.replays.spool import Spool
from stream.retries import RetryNote, read_note
from tests.composed.worker import command, surroundings
from tests.integration.batches import PARTITIONS, Deployment
from tests.services import leash
from tests.services.clients import create_topic, transactional_producer
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.waiting import until

pytestmark = pytest.mark.kafka


class Counter:
    """A deployment without workers: letters lie there, commands are typed, and what they wrote is read back."""

    def __init__(self, deployment: Deployment) -> None:
        self.place = deployment
        self.topics = deployment.topics
        for name in (self.topics.retry("now"), self.topics.replays):
            create_topic(deployment.kafka, name, partitions=PARTITIONS)

    def letters(
        self, count: int, *, reason: Reason = Reason.RETRIES_EXHAUSTED, sku: str = "SKU", paid: str | None = "10"
    ) -> list[str]:
        """So many letters of the stage upscale; their ids in the order of their SKUs."""
        raws = [
            OutRecord(self.topics.raw, b"%s-%d" % (sku.encode(), number), _event(f"{sku}-{number}"))
            for number in range(count)
        ]
        assert publish({"bootstrap.servers": self.place.kafka.bootstrap_servers}, raws).acknowledged == count
        records = [each for each in self.place.raw(self.topics.raw) if (each.key or b"").startswith(sku.encode())]
        self.place.publish(*(self.place.letter(each, reason, paid=paid) for each in records))
        named = {record.key: record for record in self.lying() if (record.key or b"").startswith(sku.encode())}
        return [_id(named[each.key]) for each in raws]

    def lying(self) -> list[InRecord]:
        return self.place.raw(self.topics.dead_letter)

    def back(self) -> list[tuple[InRecord, RetryNote]]:
        """What was put back."""
        return [(record, read_note(record.headers)) for record in self.place.raw(self.topics.retry("now"))]

    def marks(self) -> Marks:
        marks = Marks()
        take_marks(marks, self.place.raw(self.topics.replays))
        assert marks.unreadable == 0
        return marks

    def dlq(self, *words: str, stdin: bytes | None = None) -> Result:
        return self.place.run("dlq", *words, stdin=stdin)

    def replay(self, *words: str, code: int = 0, stdin: bytes | None = None) -> dict[str, Any]:
        result = self.dlq("replay", "--json", *words, stdin=stdin)
        assert result.exit_code == code, result.output
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def environment(self) -> dict[str, str]:
        return {**surroundings(), **self.place.environment}


def _event(sku: str) -> bytes:
    return json.dumps({"sku_id": sku, "raw_url": f"https://photos.example.com/{sku}.jpg", "version": "1"}).encode()


def _id(record: InRecord) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


@pytest.fixture
def counter(kafka: KafkaCluster | ExistingKafka, tmp_path: Path, prefix: str) -> Counter:
    return Counter(Deployment(kafka, tmp_path, prefix))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "said.log"


def test_a_letter_goes_back_byte_for_byte_with_its_note_and_its_mark(counter: Counter) -> None:
    (at, *_) = counter.letters(3)
    told = counter.replay(at, "--by", "anna", "--why", "the CDN is back", "--include-failing")
    assert told["done"] == {
        "written": 1, "decided_since": 0, "fenced": False, "interrupted": False, "trouble": None, "refused": {},
    }  # fmt: skip
    ((record, note),) = counter.back()
    (letter,) = [each for each in counter.lying() if _id(each) == at]
    inside = read_stage_record(letter.value)
    assert (record.key, record.value) == (letter.key, letter.value)
    assert (note.stage, note.due_ms, note.priority, note.replay) == ("upscale", 0, Priority.REPLAY, 1)
    assert (note.origin, note.timestamp_ms, note.attempts, note.buy_again) == (
        inside.origin,
        inside.timestamp_ms,
        0,
        None,
    )
    (mark,) = counter.marks()
    assert (f"{mark.letter}", mark.fate, mark.by, mark.why, mark.stage, mark.replay) == (
        at, Fate.REPLAYED, "anna", "the CDN is back", "upscale", 1,
    )  # fmt: skip
    assert (mark.origin, mark.origin_timestamp_ms, mark.plan_id) == (
        note.origin,
        note.timestamp_ms,
        told["plan"]["plan_id"],
    )


def test_what_was_put_back_is_never_put_back_twice_however_often_it_is_asked_for(counter: Counter) -> None:
    counter.letters(5)
    words = ("--stage", "upscale", "--from", "raw", "--ask-above", "10000")
    assert counter.replay(*words)["done"]["written"] == 5
    again = counter.replay(*words)
    assert (again["done"], again["plan"]["letters"]) == (None, 0)
    assert [(each["cause"], each["letters"]) for each in again["plan"]["staying"]] == [("replayed already", 5)]
    assert len(counter.back()) == 5
    assert {note.stage for _, note in counter.back()} == {"remove-bg"}


def test_a_letter_written_twice_goes_back_once(counter: Counter) -> None:
    """At-least-once deliveries repeat letters: of one event of one replay number, one goes back."""
    (at,) = counter.letters(1)
    (record,) = counter.lying()
    counter.place.publish(OutRecord(record.topic, record.key, record.value, record.headers))
    told = counter.replay("--all", "--from", "raw")
    assert (told["done"]["written"], told["plan"]["staying"][0]["cause"]) == (1, "repeat of another letter")
    other = next(
        _id(each) for each in counter.lying() if _id(each) not in {f"{mark.letter}" for mark in counter.marks()}
    )
    assert counter.replay(other, "--from", "raw")["plan"]["staying"][0]["cause"] == "repeat of another letter"
    assert len(counter.back()) == 1
    assert at


def test_a_mark_about_another_letter_at_the_same_place_hides_none(counter: Counter) -> None:
    """The dead-letter topic was deleted and made anew: its offsets begin again, the marks are still there."""
    (at, other) = counter.letters(2)
    topic, partition, offset = at.rsplit("/", 2)
    former = Mark(
        fate=Fate.DISCARDED, topic=topic, partition=int(partition), offset=int(offset), at_ms=2, by="anna",
        letter_timestamp_ms=1,
    )  # fmt: skip
    counter.place.publish(OutRecord(counter.topics.replays, at.encode(), former.model_dump_json().encode()))
    listed = [json.loads(line)["letter"] for line in counter.dlq("list", "--json").stdout.splitlines()]
    assert sorted(listed) == sorted([at, other])
    assert json.loads(counter.dlq("show", at, "--json").stdout)["state"] == "open"
    assert counter.replay(at, "--from", "raw", "--why", "no UTF-8: \udcff")["done"]["written"] == 1
    assert counter.replay(at, "--from", "raw")["plan"]["staying"][0]["cause"] == "replayed already"
    discard = counter.dlq("discard", other, "--why", "gone", "--yes", "--json")
    assert json.loads(discard.stdout)["done"]["written"] == 1
    times = {_id(each): each.timestamp_ms for each in counter.lying()}
    assert {f"{mark.letter}": mark.letter_timestamp_ms for mark in counter.marks()} == times
    assert counter.dlq("list", "--json").stdout == ""


def test_a_large_plan_needs_approval_and_a_changed_one_is_refused(counter: Counter) -> None:
    counter.letters(3)
    words = ("--reason", "retries-exhausted", "--from", "raw", "--ask-above", "1")
    refused = counter.replay(*words, code=1)
    plan = refused["plan"]
    assert (refused["done"], plan["letters"], plan["submits"], counter.back()) == (None, 3, 9, [])
    assert counter.replay(*words, "--dry-run")["plan"] == plan
    result = counter.dlq("replay", *words)
    assert (result.exit_code, f"--approve {plan['plan_id']}" in result.stderr) == (1, True)
    counter.letters(1, sku="LATER")
    result = counter.dlq("replay", *words, "--approve", plan["plan_id"])
    assert (result.exit_code, counter.back()) == (1, [])
    assert "the plan has changed: 4 letters go back now, 3 were approved" in result.stderr
    assert counter.replay(*words, "--sku", "SKU-0", "--sku", "SKU-1", "--sku", "SKU-2",
                          "--approve", plan["plan_id"])["done"]["written"] == 3  # fmt: skip


def test_a_killed_operators_open_transaction_is_ended_and_its_letters_go_back(counter: Counter) -> None:
    """Written and not committed: nobody saw it, and the next operator puts the letter back."""
    (at,) = counter.letters(1)
    killed = transactional_producer(counter.place.kafka, counter.topics.operator, timeout_ms=60_000)
    killed.begin_transaction()
    mark = Mark(
        fate=Fate.REPLAYED, topic=counter.topics.dead_letter, partition=0, offset=0, at_ms=0, by="killed",
        origin=Origin(topic=counter.topics.raw, partition=0, offset=0),
    )  # fmt: skip
    killed.produce(counter.topics.replays, key=at, value=mark.model_dump_json())
    assert killed.flush(30) == 0
    assert counter.replay(at, "--from", "raw")["done"]["written"] == 1
    assert [each.by == "killed" for each in counter.marks()] == [False]


def test_what_kafka_refuses_is_told_and_stops_no_other_letter(counter: Counter) -> None:
    counter.letters(3)
    counter.letters(1, sku="LARGE", paid="".join(secrets.choice("123456789") for _ in range(30_000)))
    counter.place.limit(counter.topics.retry("now"), 8_000)
    told = counter.replay("--all", "--include-failing", "--ask-above", "100000", code=1)
    assert told["done"]["written"] == 3
    ((_, cause),) = told["done"]["refused"].items()
    assert "MSG_SIZE_TOO_LARGE" in cause
    assert (len(counter.back()), len(counter.marks())) == (3, 3)


def test_ctrl_c_stops_between_two_batches_and_the_same_command_resumes(counter: Counter, log: Path) -> None:
    counter.letters(40)
    words = ["dlq", "replay", "--all", "--from", "raw", "--ask-above", "100000", "--rate", "4"]
    with log.open("wb") as out:
        process = leash.start([*command(), *words], log=out, env=counter.environment())
    until(lambda: len(counter.back()) >= 5, timeout_seconds=150, what="the first letters put back")
    assert leash.reap(process, signal.SIGINT, timeout_seconds=150) == 130
    said = log.read_text()
    put_back = len(counter.back())
    assert (f"{put_back} letters put back" in said, f"staying: {40 - put_back} letters" in said) == (True, True), said
    assert counter.replay("--all", "--from", "raw", "--ask-above", "100000")["done"]["written"] == 40 - put_back
    origins = [note.origin for _, note in counter.back()]
    assert (len(origins), len(set(origins))) == (40, 40)


def test_of_two_operators_the_later_one_goes_on_and_the_earlier_one_stops(counter: Counter, log: Path) -> None:
    counter.letters(60)
    words = ["dlq", "replay", "--all", "--from", "raw", "--ask-above", "100000"]
    with log.open("wb") as out:
        earlier = leash.start([*command(), *words, "--rate", "4"], log=out, env=counter.environment())
    until(lambda: len(counter.back()) >= 4, timeout_seconds=150, what="the first letters put back")
    later = counter.replay(*words[2:])
    assert earlier.wait(30) == 1
    assert "another operator began" in log.read_text()
    origins = [note.origin for _, note in counter.back()]
    assert (len(origins), len(set(origins)), len(counter.marks())) == (60, 60, 60)
    assert 0 < later["done"]["written"] < 60


class Forgetful(Transactions):
    """The real thing, but the answers to its first commits are lost: one that happened, then one that did not."""

    lost = 0

    def write(self, groups: Sequence[Sequence[OutRecord]]) -> None:
        self.lost += 1
        if self.lost == 1:
            super().write(groups)
            raise Undecided("the answer was lost")
        if self.lost == 2:
            self._producer.begin_transaction()
            for record in (record for group in groups for record in group):
                self._producer.produce(record.topic, value=record.value, key=record.key)
            self._producer.flush(10)
            raise Undecided("the broker never heard of it")
        super().write(groups)


def test_a_commit_whose_answer_was_lost_is_looked_up_and_never_guessed(counter: Counter) -> None:
    counter.letters(10)
    topics, client = counter.topics, {"bootstrap.servers": counter.place.kafka.bootstrap_servers}
    parts = BenchParts(
        client=client, topics=topics, pipeline=default_pipeline(),
        entries=EntryReader(KeyPattern.parse(DEFAULT_PATTERN)), open_objects=lambda: nullcontext(MemoryStore()),
        limits=ImageLimits(), prices=load_prices("article"), requests_per_second=1, is_transactional=True,
        clock=SystemClock(),
    )  # fmt: skip
    letters = [read_letter(record) for record in counter.lying()]
    with Bench(parts, Wish(from_raw=True)) as bench, Spool() as spool:
        plan = bench.plan(letters, bench.marks())
        kept = [replace(each, kept=spool.keep(b"{}")) for each in plan.returning]
        sender = Sender(Forgetful(client, topics.operator), bench.marks, topics, SystemClock(), Decision(by="anna"))
        done = sender.put_back(kept, spool, Pace(4, lambda: False, lambda _: None))
    assert (done.written, done.decided, done.is_fenced, done.trouble) == (10, 0, False, "")
    origins = [note.origin for _, note in counter.back()]
    assert (len(origins), len(set(origins)), len(counter.marks())) == (10, 10, 10)


def test_letters_are_discarded_with_who_and_why_and_passed_over_from_then_on(counter: Counter) -> None:
    counter.letters(2)
    counter.letters(2, sku="GONE", reason=Reason.SOURCE_MISSING, paid=None)
    words = ("discard", "--reason", "source-missing", "--why", "never\x1b[31m sold")
    result = counter.dlq(*words)
    assert (result.exit_code, len(counter.marks())) == (1, 0)
    assert "--yes is needed" in result.stderr
    result = counter.dlq(*words, "--yes", "--json", "--by", "bob")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["done"]["written"] == 2
    assert [(mark.fate, mark.by, mark.why) for mark in counter.marks()] == [
        (Fate.DISCARDED, "bob", "never\x1b[31m sold")
    ] * 2  # fmt: skip
    told = counter.replay("--all", "--from", "raw", "--dry-run")["plan"]
    assert (told["letters"], [(each["cause"], each["letters"]) for each in told["staying"]]) == (
        2,
        [("discarded already", 2)],
    )
    assert json.loads(counter.dlq(*words, "--yes", "--json").stdout)["plan"]["letters"] == 0


def test_ids_come_from_a_file_or_a_pipe_and_those_that_lie_nowhere_are_told(counter: Counter, tmp_path: Path) -> None:
    first, second, _ = counter.letters(3)
    listed = tmp_path / "ids.txt"
    listed.write_text(f"{first}\n\n{counter.topics.dead_letter}/0/99999\nnowhere/0/0\n")
    plan = counter.replay("--ids-from", str(listed), "--from", "raw", "--dry-run")["plan"]
    assert (plan["letters"], plan["missing"]) == (1, 2)
    assert counter.replay("--ids-from", "-", "--from", "raw", stdin=f"{second}\n".encode())["done"]["written"] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "which letters? expected letters by id, or filters such as --reason, or --all"),
        (("--all", "--sku", "A"), "which letters?"),
        (("x/y/z",), "got 'x/y/z'; expected partition/offset"),
        (("--all", "--set", "nonsense"), "--set: got 'nonsense'; expected key=value"),
        (("--all", "--mend", "nowhere:f"), "--mend: nowhere cannot be imported"),
        (("--ids-from", "/nowhere"), "--ids-from: /nowhere cannot be read"),
        (("--all",), "there is no topic"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(
    kafka: KafkaCluster | ExistingKafka, tmp_path: Path, prefix: str, words: tuple[str, ...], told: str
) -> None:
    place = Deployment(kafka, tmp_path, prefix)
    place.prefix = f"{prefix}-other"
    result = place.run("dlq", "replay", *words)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert told in result.stderr

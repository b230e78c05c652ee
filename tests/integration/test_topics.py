"""Topics on real Kafka: created once, checked against what the laws need. The rules alone are tested without it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from stream.broker.admin import Creation, Done, check_topics, create_topics
from stream.broker.rules import Finding, Level, TopicState, judge
from stream.cli.main import app
from stream.core.errors import Misconfigured, Unavailable
from stream.pipeline import default_pipeline
from stream.retries import MAX_NOTE_BYTES
from stream.topics import LETTER_HEADERS_MAX_BYTES, RECORD_OVERHEAD_BYTES, Topics
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.waiting import free_ports, until

TOPICS = Topics()
BETWEEN = default_pipeline().topics_between(TOPICS)
LETTERS = TOPICS.dead_letter


def _good() -> dict[str, TopicState]:
    plans = TOPICS.plans(BETWEEN)
    return {plan.name: TopicState(6, 3, {**plan.limits, "min.insync.replicas": "2"}) for plan in plans}


def _with(name: str, **config: str) -> dict[str, TopicState]:
    states = _good()
    named = {key.replace("_", "."): value for key, value in config.items()}
    return {**states, name: replace(states[name], config={**states[name].config, **named})}


def _enlarge(states: dict[str, TopicState], name: str, size_bytes: int) -> None:
    states[name] = replace(states[name], config={**states[name].config, "max.message.bytes": str(size_bytes)})


def _only(states: dict[str, TopicState]) -> Finding:
    (finding,) = judge(states, TOPICS, BETWEEN)
    return finding


class TestRules:
    def test_what_create_makes_passes_what_check_demands(self) -> None:
        states = {plan.name: TopicState(6, 3, plan.limits) for plan in TOPICS.plans(BETWEEN)}
        assert judge(states, TOPICS, BETWEEN) == []

    def test_planned_topics_are_in_order(self) -> None:
        assert judge(_good(), TOPICS, BETWEEN) == []

    def test_a_missing_topic_is_an_error(self) -> None:
        states = _good()
        del states[TOPICS.completed]
        finding = _only(states)
        assert (finding.level, finding.topic, finding.way_out) == (
            Level.ERROR, TOPICS.completed, "skustream topics create",
        )  # fmt: skip

    def test_records_we_may_write_must_fit(self) -> None:
        finding = _only(_with(BETWEEN[0], max_message_bytes="1048588"))
        assert finding.level is Level.ERROR
        assert "max.message.bytes=1048588 is below" in finding.message
        assert f"--entity-name {BETWEEN[0]} --add-config max.message.bytes=" in finding.way_out

    @pytest.mark.parametrize("name", [TOPICS.raw, TOPICS.backfill, BETWEEN[-1]])
    def test_the_largest_record_of_every_input_must_fit_into_a_letter(self, name: str) -> None:
        """L6, also where somebody raised the limit of one input topic alone."""
        states = _with(name, max_message_bytes="20000000")
        found = judge(states, TOPICS, BETWEEN)
        assert [(finding.level, finding.topic) for finding in found] == [
            (Level.ERROR, topic) for topic in (*TOPICS.retries(), LETTERS)
        ]
        assert all(name in finding.message for finding in found)
        assert "retries could not be written" in found[0].message
        needed = 20_000_000 + MAX_NOTE_BYTES + RECORD_OVERHEAD_BYTES
        assert found[0].way_out.endswith(f"max.message.bytes={needed}")
        for topic in TOPICS.retries():
            _enlarge(states, topic, needed)
        finding = _only(states)
        needed += LETTER_HEADERS_MAX_BYTES + RECORD_OVERHEAD_BYTES
        assert (finding.level, finding.topic) == (Level.ERROR, LETTERS)
        assert TOPICS.retry("now") in finding.message, "what lies in a retry topic may become a letter, too"
        assert finding.way_out.endswith(f"max.message.bytes={needed}")
        _enlarge(states, LETTERS, needed)
        assert judge(states, TOPICS, BETWEEN) == []

    def test_marks_are_compacted_and_never_too_old(self) -> None:
        finding = _only(_with(TOPICS.replays, cleanup_policy="compact,delete"))
        assert (finding.level, finding.topic) == (Level.ERROR, TOPICS.replays)
        assert "replayed again" in finding.message
        assert judge(_with(TOPICS.replays, retention_ms="1000"), TOPICS, BETWEEN) == []

    def test_the_completed_topic_is_no_input(self) -> None:
        assert judge(_with(TOPICS.completed, max_message_bytes="20000000"), TOPICS, BETWEEN) == []

    def test_short_retention_is_a_warning_and_endless_is_none(self) -> None:
        assert _only(_with(TOPICS.raw, retention_ms="3600000")).level is Level.WARNING
        assert judge(_with(TOPICS.raw, retention_ms="-1"), TOPICS, BETWEEN) == []

    @pytest.mark.parametrize("name", list(TOPICS.entries()))
    def test_the_pims_clock_on_an_entry_topic_is_a_warning(self, name: str) -> None:
        finding = _only(_with(name, message_timestamp_type="CreateTime"))
        assert (finding.level, finding.topic) == (Level.WARNING, name)
        assert finding.way_out.endswith("message.timestamp.type=LogAppendTime")
        assert judge(_with(BETWEEN[0], message_timestamp_type="CreateTime"), TOPICS, BETWEEN) == []

    def test_compaction_would_lose_events(self) -> None:
        assert _only(_with(TOPICS.raw, cleanup_policy="compact,delete")).level is Level.ERROR

    @pytest.mark.parametrize(
        ("copies", "in_sync", "level", "words"),
        [
            (1, "1", Level.WARNING, "one copy"),
            (3, "1", Level.WARNING, "one copy only"),
            (3, "3", Level.WARNING, "stops every write"),
            (2, "3", Level.ERROR, "nothing can be written"),
        ],
    )
    def test_copies(self, copies: int, in_sync: str, level: Level, words: str) -> None:
        states = _with(TOPICS.raw, min_insync_replicas=in_sync)
        states[TOPICS.raw] = replace(states[TOPICS.raw], copies=copies)
        finding = _only(states)
        assert finding.level is level
        assert words in finding.message

    def test_different_partition_counts_are_worth_knowing(self) -> None:
        states = _good()
        states[BETWEEN[1]] = replace(states[BETWEEN[1]], partitions=3)
        finding = _only(states)
        assert (finding.level, finding.topic) == (Level.INFO, BETWEEN[1])
        assert "3 partitions, but product-images.raw has 6" in finding.message

    def test_what_may_not_be_read_is_said_and_not_guessed(self) -> None:
        states = _good()
        states[LETTERS] = TopicState(6, 3, unreadable="not authorized")
        finding = _only(states)
        assert (finding.level, finding.topic) == (Level.ERROR, LETTERS)
        assert "not authorized" in finding.message


class Place:
    """A pipeline's topics under a name of their own on the real broker."""

    def __init__(self, kafka: KafkaCluster | ExistingKafka, prefix: str) -> None:
        self.kafka = kafka
        self.client = {"bootstrap.servers": kafka.bootstrap_servers}
        self.topics = Topics(prefix)
        self.between = default_pipeline().topics_between(self.topics)
        self.plans = self.topics.plans(self.between)

    def create(self, **options: Any) -> list[Creation]:
        return create_topics(self.client, self.plans, **{"partitions": 2, "replication_factor": 1, **options})

    def create_roomy_raw(self) -> None:
        """The PIM's own topic, for records far larger than we ask for."""
        raw = replace(self.plans[0], limits={**self.plans[0].limits, "max.message.bytes": "9000000"})
        create_topics(self.client, [raw], partitions=3, replication_factor=1)
        # A broker shows a topic a moment after it has made it; the PIM's was there long before.
        until(lambda: raw.name not in self.missing(), timeout_seconds=150, what="the PIM's topic seen")

    def missing(self) -> set[str]:
        return {finding.topic for finding in self.check() if finding.message.startswith("missing")}

    def check(self) -> list[Finding]:
        return check_topics(self.client, self.topics, self.between)

    def serious(self) -> list[Finding]:
        """Findings but the one copy that a single broker makes unavoidable."""
        return [finding for finding in self.check() if "one copy of each" not in finding.message]


@pytest.fixture
def place(kafka: KafkaCluster | ExistingKafka, prefix: str) -> Place:
    return Place(kafka, prefix)


@pytest.mark.kafka
class TestOnKafka:
    def test_created_topics_pass_the_check_and_are_created_once(self, place: Place) -> None:
        names = [plan.name for plan in place.plans]
        assert [finding.topic for finding in place.check()] == names
        assert place.create() == [Creation(name, Done.CREATED) for name in names]
        until(lambda: place.serious() == [], timeout_seconds=150, what="the created topics in order")
        assert {finding.topic for finding in place.check()} == set(names), "each has one copy here"
        assert place.create(partitions=5) == [Creation(name, Done.EXISTS) for name in names]

    def test_a_dry_run_asks_the_broker_and_creates_nothing(self, place: Place) -> None:
        assert {creation.done for creation in place.create(dry_run=True)} == {Done.WOULD_CREATE}
        refused = place.create(dry_run=True, replication_factor=99)
        assert {creation.done for creation in refused} == {Done.REFUSED}
        assert "eplication" in refused[0].detail
        assert {finding.message.split()[0] for finding in place.check()} == {"missing"}

    def test_the_clusters_default_copies_may_be_used(self, place: Place) -> None:
        assert {creation.done for creation in place.create(replication_factor=-1)} == {Done.CREATED}

    def test_limits_that_somebody_made_too_small_are_found(self, place: Place) -> None:
        create_topics(place.client, place.plans[1:], partitions=2, replication_factor=1)
        place.create_roomy_raw()
        until(lambda: len(place.serious()) == 8, timeout_seconds=150, what="the findings")
        assert [(finding.level, finding.topic) for finding in place.serious()] == [
            *((Level.ERROR, name) for name in (*place.topics.retries(), place.topics.dead_letter)),
            *((Level.INFO, name) for name in place.between),
        ]

    def test_letters_are_given_room_for_whatever_a_topic_of_the_pims_may_hold(self, place: Place) -> None:
        """L6: the raw topic is often there first, with limits of its own."""
        place.create_roomy_raw()
        place.create()
        until(lambda: len(place.serious()) == 3, timeout_seconds=150, what="the findings")
        assert {finding.level for finding in place.serious()} == {Level.INFO}, "only the partitions differ"


@pytest.mark.kafka
def test_the_commands_say_it_as_json_and_as_exit_codes(place: Place) -> None:
    def skustream(*words: str) -> tuple[int, list[dict[str, str]]]:
        flags = ["--bootstrap-servers", place.kafka.bootstrap_servers, "--topic-prefix", place.topics.prefix, "--json"]
        told = CliRunner().invoke(app, ["topics", *words, *flags])
        return told.exit_code, json.loads(told.stdout)

    names = [plan.name for plan in place.plans]
    code, found = skustream("check")
    assert (code, {finding["level"] for finding in found}) == (1, {"error"})
    code, made = skustream("create", "--partitions", "1", "--replication-factor", "99")
    assert (code, [creation["done"] for creation in made]) == (1, ["refused"] * len(names))
    code, made = skustream("create", "--partitions", "1", "--replication-factor", "1")
    assert (code, [(creation["topic"], creation["done"]) for creation in made]) == (0, [(n, "created") for n in names])


def test_a_broker_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.broker.admin.TIMEOUT_SECONDS", 2.0)
    (port,) = free_ports(1)
    with pytest.raises(Unavailable, match=r"does not answer: .*Connection refused"):
        check_topics({"bootstrap.servers": f"127.0.0.1:{port}"}, TOPICS, BETWEEN)


def test_an_option_librdkafka_does_not_know_is_a_misconfiguration() -> None:
    with pytest.raises(Misconfigured, match=r'No such configuration property: "securty\.protocol"'):
        check_topics({"bootstrap.servers": "127.0.0.1:1", "securty.protocol": "SSL"}, TOPICS, BETWEEN)

"""L6, complete letters: byte for byte, with reason and origin, and never passed over when they cannot be written."""

import json

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from tests.composed.auditor import MAX_HEADER_BYTES, audit
from tests.composed.conftest import Plants
from tests.composed.evidence import collect
from tests.composed.plant import Plant
from tests.services.clients import alter_topic
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]


def test_whatever_cannot_be_read_comes_back_byte_for_byte_with_its_reason(plants: Plants) -> None:
    """Trap 12: binary, nothing at all, not an object, wrong fields, a field of 900 kB, hostile names."""
    plant = plants()
    plant.worker()
    nonsense = [
        bytes(range(256)), None, b"", b"[]", b'{"sku_id": "A"}', b'{"sku_id": "A", "raw_url": "gopher://x/y"}',
        json.dumps({"sku_id": "A" * 900_000, "raw_url": "https://x/y"}).encode(),
        json.dumps({"sku_id": "A", "raw_url": "https://x/y", "stages": ["nothing"]}).encode(),
        '{"sku_id": "\N{SNOWMAN}", "raw_url": "file:///etc/passwd"}'.encode(),
        b'{"sku_id": "../../x", "raw_url": "http://169.254.169.254/"}',
    ]  # fmt: skip
    plant.send(*nonsense)
    letters = plant.wait_ended(len(nonsense)).letters
    assert {letter["skustream.reason"] for letter in letters} <= {"invalid-event", "source-refused"}
    assert all(letter["skustream.error"] for letter in letters)
    report = audit(plant.target())
    assert report.problems == []
    values = [record.value for record in collect(plant.target()).records["dead-letter"]]
    assert sorted(value or b"" for value in values) == sorted(value or b"" for value in nonsense)
    assert max(record.header_bytes for record in collect(plant.target()).records["dead-letter"]) <= MAX_HEADER_BYTES


def test_a_letter_that_cannot_be_written_waits_alone_and_its_offset_is_never_passed(plants: Plants) -> None:
    """Traps 1 and 13: the dead-letter topic refuses records; others go on; a restart meanwhile loses nothing either."""
    plant = plants()
    worker = plant.worker()
    plant.send_new(1)
    plant.wait_ended(1)
    alter_topic(plant.kafka, plant.topic("dead-letter"), {"max.message.bytes": "100"})
    plant.send(b"{nope" * 100, partition=0)
    good = [plant.event(f"GOOD-{number}") for number in range(6)]
    for number, event in enumerate(good):
        plant.send(event, partition=number % 3)
    plant.wait_ended(7)
    assert plant.watcher.ended.letters == []
    bad = _offset_of_bad(plant)
    assert _committed(plant, 0) <= bad
    worker.kill()
    worker.start()
    plant.send(plant.event("AFTER"), partition=0)
    plant.wait_ended(8)
    assert _committed(plant, 0) <= bad
    alter_topic(plant.kafka, plant.topic("dead-letter"), {"max.message.bytes": None})
    plant.wait_ended(9)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 8, "invalid-event": 1}
    until(lambda: _committed(plant, 0) > bad, timeout_seconds=150, what="the letter's offset committed")


def _offset_of_bad(plant: Plant) -> int:
    records = collect(plant.target()).records["raw"]
    (offset,) = [record.at[2] for record in records if (record.value or b"").startswith(b"{nope")]
    return offset


def _committed(plant: Plant, partition: int) -> int:
    """What the first stage's group has committed of the raw topic; 0 for nothing yet."""
    asked = ConsumerGroupTopicPartitions(plant.topic("remove-bg"), [TopicPartition(plant.topic("raw"), partition)])
    (answer,) = plant.kafka.admin().list_consumer_group_offsets([asked]).values()
    return max(0, int(answer.result(30).topic_partitions[0].offset))

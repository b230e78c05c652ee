"""The real thing: a SeaweedFS whose filer writes to a real Kafka, and what we make of every record it writes."""

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from confluent_kafka import Message

from stream.events import Origin, Priority
from stream.notifications.entry import Own
from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern
from stream.notifications.reading import EntryReader
from stream.records import Reading
from tests.services.clients import Kafka, create_topic, read_all
from tests.services.s3 import S3Server
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
READER = EntryReader(KeyPattern.parse(DEFAULT_PATTERN), frozenset({"photos", "assets"}), Own("assets", "shop"))


@pytest.fixture
def topic(kafka: Kafka, prefix: str) -> str:
    return create_topic(kafka, prefix)


@pytest.fixture
def telling(kafka: Kafka, topic: str) -> Iterator[S3Server]:
    with S3Server(kafka_topic=(kafka.bootstrap_servers, topic)) as server:
        for bucket in ("photos", "assets", "elsewhere"):
            server.create_bucket(bucket)
        yield server


def read(message: Message) -> Reading:
    place = Origin(topic=message.topic() or "", partition=message.partition() or 0, offset=message.offset() or 0)
    return READER.read(
        message.value(), place, timestamp_ms=message.timestamp()[1], priority=Priority.LIVE, started_at=0.0
    )


def test_every_change_it_tells_of_is_an_event_or_asks_for_nothing(kafka: Kafka, topic: str, telling: S3Server) -> None:
    client = telling.client()
    client.put_object(Bucket="photos", Key="MUG-1/front.jpg", Body=b"first")
    client.put_object(Bucket="photos", Key="MUG-1/front.jpg", Body=b"second")
    client.put_object(Bucket="photos", Key="in/MUG-1/red flower+é%41.jpg", Body=b"other")
    client.put_object(Bucket="assets", Key="shop/MUG-1/main/raw-abc.jpg", Body=b"ours")
    client.put_object(Bucket="elsewhere", Key="MUG-1/front.jpg", Body=b"nobody asked")
    upload = client.create_multipart_upload(Bucket="photos", Key="MUG-2/big.jpg")
    named = {"Bucket": "photos", "Key": "MUG-2/big.jpg", "UploadId": upload["UploadId"]}
    part = client.upload_part(**named, PartNumber=1, Body=b"part")
    client.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    client.delete_object(Bucket="photos", Key="MUG-1/front.jpg")
    client.put_object(Bucket="photos", Key="LAST/one.jpg", Body=b"the end")
    client.close()
    readings: list[Reading] = []

    def last_one_came() -> bool:
        readings[:] = [read(message) for message in read_all(kafka, topic)]
        return any(record.event.sku_id == "LAST" for each in readings for record in each.events)

    until(last_one_came, timeout_seconds=150, what="the filer's word of the last object")
    events = [record for each in readings for record in each.events]
    assert [unquote(record.event.raw_url) for record in events] == [
        f"s3://photos/{key}"
        for key in (
            "MUG-1/front.jpg", "MUG-1/front.jpg", "in/MUG-1/red flower+é%41.jpg", "MUG-2/big.jpg", "LAST/one.jpg",
        )
    ]  # fmt: skip
    assert events[0].place.compare(events[1].place) < 0, "put twice within a second, and still in order"
    assert all(not each.misread for each in readings)
    ignored = {why for each in readings for why in each.ignored}
    assert ignored == {"folder", "part-of-an-upload", "own-asset", "other-bucket", "removed", "not-in-a-bucket"}

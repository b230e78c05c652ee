"""What is on the table when the auditor comes: topics, documents, objects, the provider's books. Read, not judged.

Imports nothing from the runtime: only plain clients, and the names of topics and headers the contract promises.
"""

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
from confluent_kafka import Message

from tests.services.clients import Kafka, read_all, wait_decided
from tests.services.s3 import S3Server

Coordinates = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look. `topics` without their prefix."""

    kafka: Kafka
    prefix: str
    topics: tuple[str, ...]
    s3: S3Server
    bucket: str
    store_prefix: str
    provider: str
    api_key: str
    logs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record of any topic, its headers as text."""

    at: Coordinates
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    header_bytes: int

    def json(self) -> dict[str, Any]:
        """The value, read."""
        found: dict[str, Any] = json.loads(self.value or b"null")
        return found


@dataclass(slots=True)
class Evidence:
    """Everything there is; object contents are fetched when asked for."""

    prefix: str
    records: dict[str, list[Record]]
    """By topic, without the prefix."""
    documents: dict[str, dict[str, Any]]
    """Every JSON object of the store, by key below the store's prefix."""
    objects: dict[str, int]
    """Every object's size in bytes."""
    books: dict[str, Any]
    api_key: str
    logs: tuple[Path, ...] = ()
    _hashes: dict[str, str] = field(default_factory=dict)

    def sha256(self, key: str) -> str:
        """Of what really lies at `key`."""
        return self._hashes[key]

    def input_of(self, coordinates: Coordinates) -> Record | None:
        """The record at these coordinates."""
        topic = coordinates[0].removeprefix(f"{self.prefix}.")
        return next((record for record in self.records.get(topic, []) if record.at == coordinates), None)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The ledger's job documents."""
        return {key: found for key, found in self.documents.items() if key.startswith("_ledger/jobs/")}

    def manifests(self) -> dict[str, dict[str, Any]]:
        """Every image's manifest."""
        return {key: found for key, found in self.documents.items() if key.endswith("/manifest.json")}


def collect(target: Target) -> Evidence:
    """Read it all. Waits until no transaction is open."""
    for name in target.topics:
        wait_decided(target.kafka, f"{target.prefix}.{name}")
    records = {
        name: [_record(message) for message in read_all(target.kafka, f"{target.prefix}.{name}")]
        for name in target.topics
    }
    with urllib.request.urlopen(f"{target.provider}/_sim/ledger", timeout=300) as answer:  # noqa: S310 - our own
        books = json.load(answer)
    evidence = Evidence(target.prefix, records, {}, {}, books, target.api_key, target.logs)
    for key, body in contents(target):
        evidence.objects[key] = len(body)
        evidence._hashes[key] = hashlib.sha256(body).hexdigest()
        if key.endswith(".json"):
            evidence.documents[key] = json.loads(body)
        if target.api_key.encode() in body:
            evidence.documents.setdefault("_leaks", {})[key] = "the API key"
    return evidence


def _record(message: Message) -> Record:
    read: Any = message
    headers = [(name, value or b"") for name, value in read.headers() or []]
    return Record(
        at=(read.topic(), read.partition(), read.offset()),
        key=read.key(),
        value=read.value(),
        headers={name: value.decode(errors="replace") for name, value in headers},
        header_bytes=sum(len(name) + len(value) for name, value in headers),
    )


def contents(target: Target, *, under: str = "") -> Iterator[tuple[str, bytes]]:
    """Every object whose key begins with `under`, below the store's prefix."""
    with _client(target) as client:
        for key in _listed(client, target, under):
            body = client.get_object(Bucket=target.bucket, Key=f"{target.store_prefix}/{key}")["Body"]
            with body:
                yield key, body.read()


def keys(target: Target, *, under: str = "") -> list[str]:
    """The keys alone: quick enough to watch somebody delete."""
    with _client(target) as client:
        return list(_listed(client, target, under))


def plant_beside(target: Target, key: str, count: int) -> None:
    """So many more files of the job that made `key`, as racing pollers leave them."""
    folder, _, name = key.rpartition("/")
    with _client(target) as client:
        for number in range(count):
            beside = f"{target.store_prefix}/{folder}/late-{number}-{name.rpartition('-')[2]}"
            client.put_object(Bucket=target.bucket, Key=beside, Body=b"late")


def _listed(client: Any, target: Target, under: str) -> Iterator[str]:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=target.bucket, Prefix=f"{target.store_prefix}/{under}"
    )
    for page in pages:
        for item in page.get("Contents", []):
            yield item["Key"].removeprefix(f"{target.store_prefix}/")


@contextmanager
def _client(target: Target) -> Iterator[Any]:
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=target.s3.endpoint_url, region_name=target.s3.region,
        aws_access_key_id=target.s3.access_key, aws_secret_access_key=target.s3.secret_key,
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    try:
        yield client
    finally:
        client.close()

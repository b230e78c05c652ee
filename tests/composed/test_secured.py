"""A deployment behind locks: TLS and SCRAM-SHA-512, every role its own user with the rights of docs/security.md alone.

What was bought and where it went is counted from outside, through the broker's own door.
"""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from stream.broker.port import OutRecord
from stream.broker.publishing import publish
from stream.pipeline import load_pipeline
from stream.roles import Role, grants
from stream.topics import Topics
from tests.composed import photos
from tests.composed.auditor import audit
from tests.composed.conftest import Plants
from tests.composed.plant import SETTINGS, Plant
from tests.composed.worker import command, surroundings
from tests.console.process import ConsoleProcess
from tests.services.acls import allow
from tests.services.identities import USERS
from tests.services.kafka import KafkaCluster
from tests.services.s3 import ARN
from tests.services.s3 import USERS as KEYS
from tests.services.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
PAGE = Path(__file__).parents[2] / "docs/security.md"
HOLDERS = {role.value: role for role in Role}
"""Users are named as their roles."""
SECRETS = [*USERS.values(), *(secret for _, secret in KEYS.values())]


class Secured:
    """A plant whose users come through the guarded door."""

    def __init__(self, plant: Plant, kafka: KafkaCluster) -> None:
        self.plant, self.kafka = plant, kafka
        map_ = load_pipeline(plant.folder / "pipeline.yaml")
        for user, role in HOLDERS.items():
            allow(kafka, user, grants(role, Topics(plant.prefix), map_))

        self._keep_to_the_policy()

    def _keep_to_the_policy(self) -> None:
        """Put the page's policy on the bucket."""
        (text,) = re.findall(r"<!-- s3-policy -->\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
        ours = {
            "arn:aws:iam::123456789012:user/skustream-": ARN,
            "my-bucket/catalog": f"{self.plant.bucket}/assets",
            "my-bucket": self.plant.bucket,
        }
        for told, true in ours.items():
            assert told in text
            text = text.replace(told, true)
        client = self.plant.s3.client()
        client.put_bucket_policy(Bucket=self.plant.bucket, Policy=text)
        client.close()

    def access(self, user: str, password: str | None = None) -> dict[str, str]:
        """The settings that make somebody `user`, with Kafka and with S3; the passwords lie in files."""
        kafka_user = user if user in USERS else "nobody"
        file = self.plant.folder / f"{'password' if password is None else 'wrong-password'}-of-{user}"
        file.write_text(f"{password or USERS[kafka_user]}\n")
        key, secret = KEYS.get(user, ("nobody", "nobody-W0rd"))
        secret_file = self.plant.folder / f"s3-secret-of-{user}"
        secret_file.write_text(f"{secret}\n")
        options = self.kafka.identities().options(kafka_user)
        del options["sasl.password"]
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.guarded_servers,
            "SKUSTREAM_KAFKA_SASL_PASSWORD_FILE": str(file),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": "",  # the plant's own; empty is as good as none
            "AWS_SECRET_ACCESS_KEY_FILE": str(secret_file),
            **{f"SKUSTREAM_KAFKA_{name.upper().replace('.', '_')}": text for name, text in options.items()},
        }

    def run(self, user: str, *words: str, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        """A command in the name of `user`, ended with `code`."""
        plant = self.plant
        own = {
            "SKUSTREAM_TOPIC_PREFIX": plant.prefix, "SKUSTREAM_PIPELINE": str(plant.folder / "pipeline.yaml"),
            "SKUSTREAM_STORE": f"s3://{plant.bucket}/assets", "AWS_ENDPOINT_URL": plant.s3.endpoint_url,
        }  # fmt: skip
        environment = {**surroundings(), **SETTINGS, **own, **self.access(user), **settings}
        done = subprocess.run(
            [*command(), *words], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
        return done


def catalog(plant: Plant) -> Path:
    """Two rows; the photo of `LATE` is not there yet."""
    photos.draw(plant.provider.photos, "good.jpg", colour=1)
    rows = [f"{sku},{plant.provider.root}/photos/{sku.lower()}.jpg,1" for sku in ("GOOD", "LATE")]
    path = plant.folder / "catalog.csv"
    path.write_text("\n".join(["sku_id,raw_url,sequence", *rows]) + "\n")
    return path


@pytest.mark.timeout(600)  # a dozen processes, one after the other
def test_every_role_does_its_work_with_its_own_rights_alone(plants: Plants, guarded_kafka: KafkaCluster) -> None:
    plant = plants(kafka=guarded_kafka)
    secured = Secured(plant, guarded_kafka)
    secured.run("submit", "submit", str(catalog(plant)), "--batch", "spring")
    send_as_pim(plant, guarded_kafka, 1)

    worker = plant.worker(**secured.access("worker")).wait_ready()
    plant.wait_ended(3)
    standing = json.loads(secured.run("reader", "status", "--batch", "spring", "--json").stdout)
    assert (standing["success"], standing["failed"]) == (1, 1)
    (letter,) = map(json.loads, secured.run("reader", "dlq", "list", "--json").stdout.splitlines())
    assert (letter["sku_id"], letter["reason"]) == ("LATE", "source-missing")
    console = ConsoleProcess(plant, **secured.access("reader"))
    try:
        until(lambda: "spring" in page(console.url), timeout_seconds=60, what="the batch in the console")
    finally:
        assert console.stop() == 0

    refused = secured.run("reader", "dlq", "replay", "--sku", "LATE", "--why", "mine", code=3).stderr
    assert refused.count("\n") == 1
    assert f"User:reader Write on the transactional-id {plant.prefix}.replay" in refused
    photos.draw(plant.provider.photos, "late.jpg", colour=3)
    secured.run("operator", "dlq", "replay", "--sku", "LATE", "--why", "the photo is there now")
    send_as_pim(plant, guarded_kafka, 2)  # its first pictures are shown no more: gc may delete them
    plant.wait_ended(5)
    assert worker.stop() == 0
    assert audit(plant.target()).problems == []
    assert len(plant.provider.jobs()) == 12  # four photos, three jobs each
    assert not any(secret in worker.log.read_text() for secret in SECRETS)

    secured.run("operator", "dlq", "resume", "--why", "looked at")
    for verb in ("condemned_jobs", "deleted_assets"):
        books = json.loads(secured.run("gc", "gc", "--yes", "--older-than", "0s", "--json").stdout)
        assert books[verb] > 0
    denied = secured.run("reader", "gc", "--yes", code=3).stderr
    assert denied.count("\n") == 1

    wrong = secured.access("reader", "wr0ng-password")
    said = secured.run("reader", "status", "--batch", "spring", code=3, **wrong).stderr
    assert said.startswith("skustream: unavailable (broker): Kafka does not let User:reader in: ")
    assert said.count("\n") == 1
    assert "SKUSTREAM_KAFKA_SASL_PASSWORD" in said
    assert "wr0ng" not in said


def send_as_pim(plant: Plant, kafka: KafkaCluster, sequence: int) -> None:
    """One event in the PIM's name, of a photo of its own."""
    photos.draw(plant.provider.photos, f"pim-{sequence}.jpg", colour=10 + sequence)
    event = {
        "sku_id": "PIM", "raw_url": f"{plant.provider.root}/photos/pim-{sequence}.jpg", "sequence": sequence,
    }  # fmt: skip
    record = OutRecord(plant.topic("raw"), b"PIM", json.dumps(event).encode())
    assert publish(kafka.guarded("pim"), [record]).acknowledged == 1


def page(url: str) -> str:
    """Its text; none while a busy machine does not bring it."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            return str(answer.read().decode())
    except OSError:
        return ""

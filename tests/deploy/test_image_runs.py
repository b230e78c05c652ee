"""What the image would run: the wheel without the source tree, as nobody, where only /tmp can be written.

What of this the kernel enforces, and what it does not: `container.py`.
"""

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stream.topics import Topics
from tests.composed import photos
from tests.composed.provider import API_KEY, Provider
from tests.composed.watcher import Ended, Watcher
from tests.deploy.container import Container, Forbidden, open_container
from tests.deploy.rendered import ROOT, image
from tests.services import leash
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server
from tests.services.waiting import free_ports, until
from tests.services.wheel import Installed, dependencies

ANYBODY = "65532:65532"
"""A number that the image does not know, as platforms give them out."""
PARTITIONS = 2
WALLS = """
for place in / /usr /etc "$1" "$2" "$3"; do
  if touch "$place/written" 2>/dev/null; then echo "$place can be written"; fi
done
[ -e "$4" ] && echo "the source tree is there"
touch /tmp/written || echo "/tmp cannot be written"
printf '#!/bin/sh\n' > /tmp/program && chmod +x /tmp/program && /tmp/program 2>/dev/null && echo "/tmp runs programs"
id -u; id -g; id -G
sed -n -E 's/^(CapEff|CapBnd|NoNewPrivs):\\s*//p' /proc/self/status
"""


@pytest.fixture
def container(installed: Installed, tmp_path: Path) -> Container:
    (tmp_path / "root").mkdir()
    try:
        return open_container(installed, image(), tmp_path / "root")
    except Forbidden as forbidden:
        pytest.skip(f"NOT PROVED HERE: {forbidden}")


@pytest.mark.parametrize("owner", [image().user, "0:0"])
def test_the_walls_hold(container: Container, owner: str) -> None:
    """Nothing can be written but /tmp, not even by who owns it; no capability is left."""
    home, tree = container.installed.home, ROOT / "stream"
    told = container.run("sh", "-c", WALLS, "sh", home, home / "bin", dependencies(), tree, user=owner)
    user, _, group = owner.partition(":")
    nothing = "0" * 16
    assert told.stdout.split("\n") == [user, group, group, nothing, nothing, "1", ""], told.stderr


@pytest.mark.parametrize("user", [image().user, ANYBODY])
def test_skustream_says_its_version_to_any_user(container: Container, user: str) -> None:
    told = container.run("skustream", "--version", user=user)
    assert told.stdout.startswith("skustream 0."), told.stderr


def test_what_is_imported_is_the_wheel(container: Container) -> None:
    told = container.run("python", "-c", "import stream, os; print(stream.__file__, os.getcwd())")
    place, folder = told.stdout.split()
    assert Path(place).is_relative_to(container.installed.home), told.stderr
    assert folder == "/"


def test_a_container_without_settings_says_what_is_missing(container: Container) -> None:
    """As the image starts where nobody has set anything: a line for each, no traceback."""
    told = container.run(*image().entrypoint, *image().command)
    assert (told.returncode, told.stdout) == (2, "")
    missing = [re.fullmatch(r"skustream: (\w+) is not set; .+", line) for line in told.stderr.splitlines()]
    assert [each and each[1] for each in missing] == ["KAFKA_BOOTSTRAP_SERVERS", "SKUSTREAM_STORE", "PIXELAPI_KEY"]


@pytest.mark.kafka
@pytest.mark.s3
def test_one_photo_goes_all_the_way(
    container: Container, kafka: KafkaCluster | ExistingKafka, s3: S3Server, prefix: str, tmp_path: Path
) -> None:
    """Topics, check and a worker, in containers: bought once, kept in the store, ended in order by SIGTERM."""
    provider = Provider(tmp_path)
    photos.draw(provider.photos, "mug.jpg", colour=2)
    try:
        surroundings = around(kafka, s3, prefix, provider)
        created = container.run("skustream", "topics", "create", f"--partitions={PARTITIONS}", **surroundings)
        assert created.returncode == 0, created.stderr
        checked = container.run("skustream", "check", "--json", **surroundings)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        ended = worked_on(container, kafka, surroundings, f"{provider.root}/photos/mug.jpg", tmp_path)
        assert [record["status"] for record in ended.completed] == ["completed"]
        assert ended.letters == []
        assert len(provider.ledger()["jobs"]) == 3
        assert kept(s3, prefix) >= {asset["key"] for asset in ended.completed[0]["assets"].values()}
    finally:
        provider.stop()


def around(kafka: KafkaCluster | ExistingKafka, s3: S3Server, prefix: str, provider: Provider) -> dict[str, str]:
    """What a container is told of its surroundings."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "SKUSTREAM_TOPIC_PREFIX": prefix,
        "SKUSTREAM_STORE": f"s3://{s3.create_bucket(prefix)}", "AWS_ENDPOINT_URL": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key, "AWS_REGION": s3.region,
        "PIXELAPI_BASE": provider.base_url, "PIXELAPI_KEY": API_KEY, "SKUSTREAM_FETCH_ALLOW": "127.0.0.1",
        "SKUSTREAM_QUOTA_STARTS_CLOSED": "false", "SKUSTREAM_QUOTA_REQUESTS": "600",
        "SKUSTREAM_QUOTA_WINDOW_SECONDS": "6", "SKUSTREAM_POLL_FIRST_SECONDS": "0.3",
        "SKUSTREAM_HTTP_PORT": str(free_ports(1)[0]),
    }  # fmt: skip


def worked_on(
    container: Container,
    kafka: KafkaCluster | ExistingKafka,
    surroundings: Mapping[str, str],
    raw_url: str,
    folder: Path,
) -> Ended:
    """One event from its publication to its end, by a worker that is then told to stop."""
    topics = Topics(surroundings["SKUSTREAM_TOPIC_PREFIX"])
    log = folder / "worker.log"
    watcher = Watcher(kafka, [topics.completed, topics.dead_letter], partitions=PARTITIONS)
    worker = container.start(*image().command, log=log, **surroundings)
    try:
        until(
            lambda: worker.poll() is not None or is_ready(surroundings["SKUSTREAM_HTTP_PORT"]),
            timeout_seconds=150, what="the worker ready",
        )  # fmt: skip
        assert worker.poll() is None, log.read_text()
        pim = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        pim.produce(topics.raw, key="MUG", value=json.dumps({"sku_id": "MUG", "raw_url": raw_url, "version": "1"}))
        assert pim.flush(30) == 0
        until(lambda: len(watcher.look()) >= 1, timeout_seconds=150, what="the end of MUG")
    finally:
        code = leash.reap(worker, signal.SIGTERM, timeout_seconds=150)
    assert code == 0, log.read_text()
    ended = watcher.look(1.0)
    watcher.close()
    return ended


def is_ready(port: str) -> bool:
    """What a readiness probe is told."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.HTTPError, OSError):
        return False


def kept(s3: S3Server, bucket: str) -> set[str]:
    """The keys in the store."""
    client: Any = s3.client()
    try:
        return {one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]}
    finally:
        client.close()

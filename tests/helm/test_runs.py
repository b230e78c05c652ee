"""What the rendered containers would run, run as processes of this machine, on a real Kafka and a real S3.

The words, the environment and the settings file are the pods' own. Changed are paths (there are no mounts here), the
address that is listened on, and the secrets, which are written where the pods would find them.
"""

import signal
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.composed.worker import command, surroundings
from tests.helm.rendered import MINIMAL, Chart, Object, containers, environment, of_kind, pods
from tests.services import leash
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server
from tests.services.waiting import free_ports, until

pytestmark = [pytest.mark.kafka, pytest.mark.s3]
MOUNTS = ("/etc/skustream/", "/etc/skustream-pixelapi/", "/etc/skustream-console/", "/spool")


@dataclass(frozen=True, slots=True)
class Place:
    """One release on this machine."""

    objects: list[Object]
    folder: Path
    secrets: dict[str, str]

    def lay(self) -> None:
        """Write what the volumes would hold."""
        for one in of_kind(self.objects, "ConfigMap"):
            for name, text in one["data"].items():
                self.file(f"/etc/skustream/{name}").write_text(text)
        self.file("/etc/skustream-pixelapi/pixelapi-key").write_text("pk_made_up\n")
        self.file("/etc/skustream-console/token").write_text("a token of thirty characters..\n")
        self.file("/spool").mkdir()

    def file(self, path: str) -> Path:
        """Where a path of the container is here."""
        found = self.folder / path.removeprefix("/")
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def environment(self, container: Object) -> dict[str, str]:
        """The container's own, with nothing of the developer's."""
        told = {}
        for name, value in environment(container).items():
            here = str(self.file(value)) if value.startswith(MOUNTS) else value
            told[name] = self.secrets[value] if value.startswith("secret ") else here.replace("0.0.0.0", "127.0.0.1")
        temporary = self.file("/tmp/any").parent  # noqa: S108 - in the container
        return surroundings() | told | {"TMPDIR": str(temporary), "COLUMNS": "200"}

    def run(self, container: Object) -> subprocess.CompletedProcess[str]:
        """A one-shot to its end."""
        return subprocess.run(
            [*command(), *container["args"]], env=self.environment(container), capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip

    def start(self, container: Object) -> "subprocess.Popen[bytes]":
        """A container that stays."""
        with self.log(container).open("ab") as log:
            return leash.start([*command(), *container["args"]], log=log, env=self.environment(container))

    def log(self, container: Object) -> Path:
        """What it says."""
        return self.folder / f"{container['name']}.log"


@pytest.fixture
def place(chart: Chart, kafka: KafkaCluster | ExistingKafka, s3: S3Server, prefix: str, tmp_path: Path) -> Place:
    http, console = free_ports(2)
    objects = chart.objects(
        MINIMAL, f"kafka.bootstrapServers={kafka.bootstrap_servers.replace(',', chr(92) + ',')}",
        f"store.url=s3://{s3.create_bucket(prefix)}/shop", f"store.endpointUrl={s3.endpoint_url}",
        f"store.region={s3.region}", "store.existingSecret=keys", f"settings.topic_prefix={prefix}",
        "replicas=2", "quota.requests=90", f"httpPort={http}", "topics.enabled=true", "topics.partitions=2",
        "console.enabled=true", f"console.port={console}", "console.token.existingSecret=console",
    )  # fmt: skip
    found = Place(
        objects, tmp_path,
        {"secret keys/access-key-id": s3.access_key, "secret keys/secret-access-key": s3.secret_key},
    )  # fmt: skip
    found.lay()
    return found


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError as error:
        return 0, str(error)


def listens(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


def test_topics_worker_and_console_of_a_release_do_their_work(place: Place) -> None:
    """The job ends well; the worker answers its probes, has its share, and ends in order; the console opens."""
    found = pods(place.objects)
    for one in containers(found["shop-skustream-topics"]):
        done = place.run(one)
        assert done.returncode == 0, done.stdout + done.stderr

    (worker,) = found["shop-skustream"]["spec"]["containers"]
    port = worker["ports"][0]["containerPort"]
    running = place.start(worker)
    try:
        until(
            lambda: running.poll() is not None or answer(port, worker["readinessProbe"]["httpGet"]["path"])[0] == 200,
            timeout_seconds=150, what="the worker ready",
        )  # fmt: skip
        assert running.poll() is None, place.log(worker).read_text()
        assert answer(port, worker["livenessProbe"]["httpGet"]["path"])[0] == 200
        until(
            lambda: "skustream_limiter_limit_requests 45.0\n" in answer(port, "/metrics")[1],
            timeout_seconds=150, what="half of the contract for each of two workers",
        )  # fmt: skip
    finally:
        grace = found["shop-skustream"]["spec"]["terminationGracePeriodSeconds"]
        code = leash.reap(running, signal.SIGTERM, timeout_seconds=grace)
    assert code == 0, place.log(worker).read_text()

    (console,) = found["shop-skustream-console"]["spec"]["containers"]
    port = console["ports"][0]["containerPort"]
    showing = place.start(console)
    try:
        until(
            lambda: showing.poll() is not None or listens(port), timeout_seconds=150, what="the console listens"
        )  # fmt: skip
        assert showing.poll() is None, place.log(console).read_text()
        assert "token" in answer(port, "/login")[1].lower()
    finally:
        leash.reap(showing, signal.SIGTERM, timeout_seconds=150)


def test_a_worker_without_its_secret_says_so_in_a_line(place: Place) -> None:
    place.file("/etc/skustream-pixelapi/pixelapi-key").unlink()
    (worker,) = pods(place.objects)["shop-skustream"]["spec"]["containers"]
    done = place.run(worker)
    assert done.returncode == 2
    assert done.stderr.startswith("skustream: PIXELAPI_KEY_FILE=")
    assert len(done.stderr.splitlines()) == 1

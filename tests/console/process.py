"""`skustream console` as a process of its own, by the installed command, on a plant's Kafka and S3."""

import re
import signal
import subprocess

from tests.composed.plant import SETTINGS, Plant
from tests.composed.worker import command, surroundings
from tests.services import leash
from tests.services.waiting import until


class ConsoleProcess:
    """Started when made; `url` ends without a slash."""

    def __init__(self, plant: Plant, *words: str, **settings: str) -> None:
        """`settings`: environment variables beside and before our own."""
        self.log = plant.folder / "console.log"
        self.environment = surroundings() | SETTINGS | {
            "KAFKA_BOOTSTRAP_SERVERS": plant.kafka.bootstrap_servers,
            "SKUSTREAM_TOPIC_PREFIX": plant.prefix,
            "SKUSTREAM_STORE": f"s3://{plant.bucket}/assets",
            "SKUSTREAM_PIPELINE": str(plant.folder / "pipeline.yaml"),
            "AWS_ENDPOINT_URL": plant.s3.endpoint_url,
            "SKUSTREAM_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }  # fmt: skip
        with self.log.open("wb") as log:
            self._process = leash.start([*command(), "console", "--port", "0", *words], log=log, env=self.environment)
        until(lambda: self._told() is not None or self._process.poll() is not None, timeout_seconds=150, what="its URL")
        told = self._told()
        assert told is not None, self.log.read_text()
        self.url = told

    def _told(self) -> str | None:
        found = re.search(r"console at (http://\S+)/ ", self.log.read_text(errors="replace"))
        return found[1] if found else None

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        return leash.reap(self._process, sig, timeout_seconds=150)


def create_topics(environment: dict[str, str]) -> None:
    """Whatever the plant has not made."""
    words = [*command(), "topics", "create", "--replication-factor", "1"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr

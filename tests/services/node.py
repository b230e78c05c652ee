"""One broker: its address, its settings, its folder, its process. `kafka.py` puts one or three of them together."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.services import jars, leash, waiting
from tests.services.identities import MECHANISM, USERS, Identities

IDENTITIES = "identities"
CLUSTER_ID = "c2t1c3RyZWFtLXRlc3RzMQ"
_JVM = (
    "-Xms96m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
    f"-Dlog4j2.configurationFile={jars.LOGGING}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """Where node `number` (from 1) listens, on loopback."""

    number: int
    port: int
    controller_port: int
    guarded_port: int | None = None
    """A second door, TLS and SCRAM: for `identities.USERS`, with the rights that access lists give them. At the other
    one everybody is the super user: the broker itself, and the auditors of tests."""


def settings_of(here: Address, everybody: list[Address], folder: Path) -> dict[str, str]:
    """Kafka's settings for one node: defaults of the real thing, except where a test would wait for nothing."""
    copies = min(3, len(everybody))
    in_sync = max(1, copies - 1)
    return {
        "process.roles": "broker,controller",
        "node.id": str(here.number),
        "controller.quorum.voters": ",".join(f"{a.number}@127.0.0.1:{a.controller_port}" for a in everybody),
        "listeners": f"PLAINTEXT://127.0.0.1:{here.port},CONTROLLER://127.0.0.1:{here.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{here.port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(folder / "log"),
        # As in production: a topic nobody created is a mistake to be seen.
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        # Small: fifty partitions of each are created before the first commit and loaded after each restart.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "1",
        # Quick: a group forms at once, short sessions are allowed, a dead broker or a late transaction is seen soon.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "8388608",
        "log.cleaner.threads": "1",
        **_guard(here, folder),
    }


def _guard(here: Address, folder: Path) -> dict[str, str]:
    """What makes the guarded door, where there is one."""
    if here.guarded_port is None:
        return {}
    door = "listener.name.guarded"
    return {
        "listeners": f"PLAINTEXT://127.0.0.1:{here.port},GUARDED://127.0.0.1:{here.guarded_port}"
        f",CONTROLLER://127.0.0.1:{here.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{here.port},GUARDED://127.0.0.1:{here.guarded_port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,GUARDED:SASL_SSL,CONTROLLER:PLAINTEXT",
        f"{door}.sasl.enabled.mechanisms": MECHANISM,
        f"{door}.{MECHANISM.lower()}.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule"
        " required;",
        f"{door}.ssl.keystore.type": "PEM",
        f"{door}.ssl.keystore.location": str(folder / IDENTITIES / "broker.pem"),
        f"{door}.ssl.truststore.type": "PEM",
        f"{door}.ssl.truststore.location": str(folder / IDENTITIES / "ca.pem"),
        f"{door}.ssl.client.auth": "requested",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS",
    }


class Node:
    """A broker's process. Not thread-safe: one test drives it."""

    def __init__(
        self, address: Address, everybody: list[Address], folder: Path, *,
        settings: Mapping[str, str] | None = None, cluster_id: str = CLUSTER_ID,
    ) -> None:  # fmt: skip
        """`settings`: instead of the tests' own."""
        self.address = address
        self._cluster_id = cluster_id
        self.log = folder / "broker.out"
        self._folder = folder
        self._properties = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = settings or settings_of(address, everybody, folder)
        self.identities: Identities | None = None
        """Of the guarded door, once it is there."""

    @property
    def is_running(self) -> bool:
        """Whether the process lives (a stopped one, SIGSTOP, does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the broker. Raises RuntimeError when it was never started."""
        if self._process is None:
            raise RuntimeError(f"node {self.address.number} was never started")
        return self._process.pid

    def format(self) -> None:
        """Write the settings, and prepare the folder unless it was before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        users: list[str] = []
        if self.address.guarded_port is not None:
            self.identities = Identities(self._folder / IDENTITIES)
            users = [f"{MECHANISM}=[name={name},password={password}]" for name, password in USERS.items()]
        done = subprocess.run(
            [*self._java("kafka.tools.StorageTool"), "format", "--ignore-formatted",
             "--cluster-id", self._cluster_id, "--config", str(self._properties),
             *(word for user in users for word in ("--add-scram", user))],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"Kafka could not format {self._folder}:\n{done.stdout}{done.stderr}")

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process. It is not ready yet when this returns."""
        with self.log.open("ab") as log:
            self._process = leash.start([*self._java("kafka.Kafka"), str(self._properties)], log=log)
        return self._process

    def end(self, sig: signal.Signals, *, timeout_seconds: float = 15) -> None:
        """Send `sig` and return when it has come to pass: ended, or every thread stopped (SIGCONT: at once)."""
        if sig in (signal.SIGSTOP, signal.SIGCONT):
            os.kill(self.pid, sig)
            if sig == signal.SIGSTOP:
                waiting.until(self._is_frozen, timeout_seconds=150, what=f"node {self.address.number} stands still")
        elif self.is_running and self._process is not None:
            leash.reap(self._process, sig, timeout_seconds=timeout_seconds)

    def _is_frozen(self) -> bool:
        """Whether no thread runs any more: on a busy machine the signal reaches them after `kill` returned."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/stat")  # where there is no /proc, `kill` has to do
        try:
            return all(task.read_text().rpartition(")")[2].split()[0] in "TZ" for task in tasks)
        except OSError:  # a thread ended meanwhile
            return False

    def last_words(self) -> str:
        """The end of the broker's log, for the message of a failure."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def _java(self, main: str) -> list[str]:
        return ["java", *_JVM, "-cp", f"{jars.LIBS}/*", main]

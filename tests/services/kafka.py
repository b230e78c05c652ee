"""Apache Kafka on loopback: one or three KRaft brokers, or the broker that KAFKA_BOOTSTRAP_SERVERS names.

By hand: `python -m tests.services.kafka --brokers 1`. In tests: fixtures `kafka` and `kafka3` of `tests/conftest.py`.
"""

import argparse
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.services import ServiceMissing, jars
from tests.services.identities import Identities
from tests.services.node import Address, Node
from tests.services.waiting import free_ports, listens, until

ENVIRONMENT = "KAFKA_BOOTSTRAP_SERVERS"
_READY_SECONDS = 120.0
# librdkafka tells every refused connection; while a broker starts or is killed on purpose that is no news.
_silence = logging.getLogger("tests.services.kafka.client")
_silence.addHandler(logging.NullHandler())
_silence.propagate = False


class NodeDied(RuntimeError):
    """A broker ended while it should have started: the end of its log."""


class KafkaCluster:
    """`brokers` nodes (1 or 3), each broker and controller. Without `data_dir` the data dies with `stop()`.

    `port`: the first broker's port; the others follow, controllers from `port + 10`. None: free ones.
    `guarded`: it has a second door (TLS, SCRAM), where users have only the rights that access lists give them.
    Raises ServiceMissing from `start()` without Java or Maven, NodeDied when a node dies while starting.
    """

    def __init__(
        self, brokers: int = 1, *, data_dir: Path | None = None, port: int | None = None, guarded: bool = False
    ) -> None:
        self.brokers = brokers
        self._disposable = data_dir is None
        self._folder = data_dir or Path(tempfile.mkdtemp(prefix="skustream-kafka-"))
        self._port, self._guarded = port, guarded
        self._admin: AdminClient | None = None
        self._address()

    def _address(self) -> None:
        """Where each node listens, on ports that are free just now unless they are fixed."""
        count, port = self.brokers, self._port
        fixed = [] if port is None else [*range(port, port + count), *range(port + 10, port + 10 + count)]
        ports = fixed or free_ports(2 * count)
        guarded_ports = free_ports(count) if self._guarded else [None] * count
        addresses = [Address(n + 1, ports[n], ports[n + count], guarded_ports[n]) for n in range(count)]
        self.nodes = {a.number: Node(a, addresses, self._folder / f"{count}-node-{a.number}") for a in addresses}
        self.bootstrap_servers = ",".join(f"127.0.0.1:{a.port}" for a in addresses)
        self.guarded_servers = ",".join(f"127.0.0.1:{port}" for port in guarded_ports if port is not None)

    def start(self) -> Self:
        """Fetch what is missing, start every node and return once topics can be created.

        Somebody may take a port between its choice and its use: then it is tried once more, on others. Whatever fails,
        no node is left behind.
        """
        jars.fetch()
        try:
            self._start_nodes()
        except NodeDied:
            if self._port is not None:
                raise
            self._address()
            self._start_nodes()
        return self

    def _start_nodes(self) -> None:
        try:
            with ThreadPoolExecutor() as pool:
                list(pool.map(Node.format, self.nodes.values()))
            for node in self.nodes.values():
                node.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every node. Data nobody will read again needs no goodbye."""
        sig = signal.SIGKILL if self._disposable else signal.SIGTERM
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.end(sig), self.nodes.values()))
        self._admin = None
        if self._disposable:
            shutil.rmtree(self._folder, ignore_errors=True)

    def guarded(self, user: str, password: str | None = None) -> dict[str, str]:
        """Options for librdkafka of a user of the guarded door (one broker), servers included."""
        identities = self.identities()
        return {"bootstrap.servers": self.guarded_servers, **identities.options(user, password)}

    def identities(self) -> Identities:
        """The guarded door's authority and certificates."""
        (node,) = self.nodes.values()
        assert node.identities is not None
        return node.identities

    def kill(self, node: int, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send `sig` to node `node` (from 1) and return when it is gone, or stands still (SIGCONT: at once)."""
        self.nodes[node].end(sig)

    def restart(self, node: int) -> None:
        """Start a killed node again, on its ports and data, and return once it has caught up."""
        self.nodes[node].start()
        self.wait_ready()

    def heal(self) -> None:
        """Start every node that is not running, and return once all have caught up."""
        dead = [node for node in self.nodes.values() if not node.is_running]
        for node in dead:
            node.start()
        if dead:
            self.wait_ready()

    def admin(self) -> AdminClient:
        """The cluster's admin client; one and the same, kept referenced (a dropped one loses its answers)."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers}, logger=_silence)
        return self._admin

    def wait_ready(self, timeout_seconds: float = _READY_SECONDS) -> None:
        """Return once every running node serves, all their replicas are in sync and a topic can be created."""
        running = [node for node in self.nodes.values() if node.is_running]
        try:
            until(lambda: self._serves(running), timeout_seconds=timeout_seconds, what="Kafka ready")
        except TimeoutError as late:
            words = "\n".join(f"--- node {node.address.number}\n{node.last_words()}" for node in running)
            raise RuntimeError(f"{late}\n{words}") from late
        _create_and_delete_topic(self.admin(), copies=len(running), timeout_seconds=timeout_seconds)

    def _serves(self, running: list[Node]) -> bool:
        dead = next((node for node in running if not node.is_running), None)
        if dead is not None:
            raise NodeDied(f"Kafka node {dead.address.number} died while starting:\n{dead.last_words()}")
        if not all(listens(node.address.port) for node in running):
            return False
        return is_in_sync(self.admin(), {node.address.number for node in running})

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class ExistingKafka:
    """The cluster somebody else runs (KAFKA_BOOTSTRAP_SERVERS). It serves, but it is not ours to break."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers}, logger=_silence)
        self.brokers = 0

    def start(self) -> Self:
        """Return once it answers; `brokers` is how many it has. Raises ServiceMissing."""
        self.wait_ready()
        self.brokers = len(self._admin.list_topics(timeout=10).brokers)
        return self

    def stop(self) -> None:
        """Leave it alone."""

    def admin(self) -> AdminClient:
        """The cluster's admin client."""
        return self._admin

    def wait_ready(self, timeout_seconds: float = _READY_SECONDS) -> None:
        """Return once a topic can be created. Raises ServiceMissing."""
        try:
            self._admin.list_topics(timeout=timeout_seconds)
            _create_and_delete_topic(self._admin, copies=1, timeout_seconds=timeout_seconds)
        except (KafkaException, TimeoutError) as error:
            raise ServiceMissing(f"{ENVIRONMENT}={self.bootstrap_servers} does not serve: {error}") from error


def open_kafka() -> KafkaCluster | ExistingKafka:
    """Return one started broker: the one the environment names, else one of our own. Raises ServiceMissing."""
    named = os.environ.get(ENVIRONMENT)
    return ExistingKafka(named).start() if named else KafkaCluster(1).start()


def open_breakable(brokers: int, *, guarded: bool = False) -> KafkaCluster:
    """Return a started cluster of our own, to be broken at will. Raises ServiceMissing when told to use another."""
    if os.environ.get(ENVIRONMENT):
        refuse_to_break()
    return KafkaCluster(brokers, guarded=guarded).start()


def refuse_to_break() -> NoReturn:
    """Raise the ServiceMissing of tests that kill brokers when the broker is somebody else's."""
    raise ServiceMissing(f"brokers are killed and restarted here, which {ENVIRONMENT} rules out: unset it")


def is_in_sync(admin: AdminClient, nodes: set[int]) -> bool:
    """Tell whether exactly `nodes` serve and every partition has a leader and all its replicas on them in sync."""
    try:
        seen = admin.list_topics(timeout=2)
    except KafkaException:
        return False
    partitions = [partition for topic in seen.topics.values() for partition in topic.partitions.values()]
    return set(seen.brokers) == nodes and all(
        partition.leader in nodes and set(partition.isrs) >= set(partition.replicas) & nodes for partition in partitions
    )


def _create_and_delete_topic(admin: AdminClient, *, copies: int, timeout_seconds: float) -> None:
    name = f"ready-{uuid.uuid4().hex}"
    topic = NewTopic(name, num_partitions=1, replication_factor=copies)
    admin.create_topics([topic], operation_timeout=timeout_seconds)[name].result(timeout_seconds)
    admin.delete_topics([name], operation_timeout=timeout_seconds)[name].result(timeout_seconds)


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services.kafka", description="Apache Kafka, until Ctrl-C.")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--port", type=int, default=9092, help="port of the first broker")
    parser.add_argument("--data-dir", type=Path, default=jars.LIBS.parent / "data", help="kept between runs")
    asked = parser.parse_args()
    ended = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: ended.set())
    cluster = KafkaCluster(asked.brokers, data_dir=asked.data_dir.absolute(), port=asked.port)
    try:
        cluster.start()
        print(cluster.bootstrap_servers, flush=True)  # noqa: T201 - the answer of this command
        while not ended.wait(1):
            if not all(node.is_running for node in cluster.nodes.values()):
                sys.stderr.write("a broker died: see broker.out in the data folder\n")
                return 1
    except ServiceMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(_main())

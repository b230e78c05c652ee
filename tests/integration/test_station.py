"""A station on a real Kafka: what an idle one says of itself, and that every lane is read on whatever happened."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stream.broker.link import KafkaLink, LinkSettings
from stream.broker.port import Committed, LinkListener, OutRecord, Partition
from stream.core.clock import SystemClock
from stream.metrics.silent import SilentRecorder
from stream.runtime import process as process_module
from stream.runtime import wicket as wicket_module
from stream.runtime.ends import Delivery, End
from stream.runtime.environment import Environment
from stream.runtime.inflight import Lane, LaneLimits, Ticket
from stream.runtime.marks import encode
from stream.runtime.process import Crew, Process
from stream.runtime.station import Station, StationParts
from stream.runtime.worker import Worker
from tests.services.clients import Kafka, create_topic, read_all, transactional_producer, wait_decided

pytestmark = pytest.mark.kafka
PATIENCE_SECONDS = 120.0


class Lags(SilentRecorder):
    """Remembers the lag of each partition as it was last told."""

    def __init__(self) -> None:
        self.lags: dict[int, int | None] = {}

    def lag(self, stage: str, topic: str, partition: int, records: int | None) -> None:
        self.lags[partition] = records


class Walks:
    """Instead of a worker: delivers each ticket at once, or keeps it while told to."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.station: Station
        self.keeps = False
        self.kept: list[Ticket] = []
        self.seen: list[tuple[int, int]] = []

    def accept(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            self.seen.append((ticket.record.partition, ticket.record.offset))
            if self.keeps:
                self.kept.append(ticket)
            else:
                self._deliver(ticket)

    def abandon(self, lanes: Iterable[Lane]) -> None:
        gone = set(lanes)
        self.kept = [ticket for ticket in self.kept if ticket.lane not in gone]

    def let_go(self) -> None:
        """Deliver what is kept, and keep nothing from now on."""
        self.keeps = False
        for ticket in self.kept:
            self._deliver(ticket)
        self.kept = []

    def _deliver(self, ticket: Ticket) -> None:
        value = f"{ticket.record.partition}/{ticket.record.offset}".encode()
        end = End(OutRecord(self._target, b"k", value), "forwarded")
        self.station.deliver(Delivery(ticket, (end,)))


class Idle(Worker):
    """The other half of a crew, for a process that is only asked for its health."""

    def __init__(self) -> None:
        """No parts."""

    async def stop(self, short_seconds: float) -> None:
        """Nothing walks."""

    def reasons(self) -> list[str]:
        """Nothing is stopped."""
        return []


class Scene:
    """One station between two topics."""

    def __init__(self, kafka: Kafka, source: str, target: str, *, limits: LaneLimits, instance: str) -> None:
        self.kafka, self.source, self.target = kafka, source, target
        self.heard = Lags()
        self.is_paused = False
        self.needs_news = False
        self.foreign: set[int] = set()
        """Offsets that only pass by."""
        self.chores: list[Callable[[], bool]] = []
        """Asked at every turn until done, on the station's own thread: nobody else may call its client."""
        self.walks = Walks(target)
        clock = SystemClock()
        parts = StationParts(
            "remove-bg", lambda listener: opened(kafka, source, instance, listener), self._at_every_turn,
            limits, 0.05, clock, self.heard, needs_news=lambda: self.needs_news,
            is_news=lambda record: record.offset not in self.foreign,
        )  # fmt: skip
        self.station = Station(parts, asyncio.get_running_loop())
        self.walks.station = self.station
        self.station.attach(self.walks)
        self.process = Process(
            [Crew("remove-bg", self.station, Idle())], Environment(clock, self.heard), clock,
            drain=nothing_to_drain, drain_seconds=10, on_tick=lambda: None,
        )  # fmt: skip

    def _at_every_turn(self) -> bool:
        self.chores = [chore for chore in self.chores if not chore()]
        return self.is_paused

    def open_wicket(self) -> bool:
        """As if its hour were over; a chore."""
        self.station._wicket._opens_at = time.monotonic()
        return True

    @property
    def lanes(self) -> dict[int, Lane]:
        return {partition.number: lane for partition, lane in list(self.station._lanes.items())}

    def has(self, count: int) -> bool:
        """Whether so many came in from the first partition."""
        return self.count(0) >= count

    def count(self, partition: int) -> int:
        """Different records of `partition` that came in."""
        return len({offset for number, offset in self.walks.seen if number == partition})


async def nothing_to_drain(_: object) -> int:
    return 0


def opened(kafka: Kafka, topic: str, instance: str, listener: LinkListener) -> KafkaLink:
    settings = LinkSettings(
        options={"bootstrap.servers": kafka.bootstrap_servers}, group=f"{topic}.group", topics=(topic,),
        instance=instance, session_seconds=6, statistics_seconds=0.2,
    )  # fmt: skip
    return KafkaLink(settings, listener)


@asynccontextmanager
async def running(
    kafka: Kafka, prefix: str, *, partitions: int = 1, limits: LaneLimits | None = None, instance: str = "a"
) -> AsyncIterator[Scene]:
    """A started station that owns every partition of `<prefix>.in`; the topics must exist."""
    scene = Scene(kafka, f"{prefix}.in", f"{prefix}.out", limits=limits or LaneLimits(), instance=instance)
    await scene.process.start()
    try:
        await until(lambda: len(scene.lanes) == partitions, "its partitions")
        yield scene
    finally:
        assert await scene.process.stop()


@pytest.fixture
def topics(kafka: Kafka, prefix: str) -> None:
    create_topic(kafka, f"{prefix}.in", partitions=2)
    create_topic(kafka, f"{prefix}.out")


async def until(condition: Callable[[], object], what: str) -> None:
    """Return once `condition()` holds. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE_SECONDS:g} s")
        await asyncio.sleep(0.02)


def publish(kafka: Kafka, topic: str, counts: Sequence[int]) -> None:
    """So many records into each partition, in one transaction: its marker ends the partition."""
    producer = transactional_producer(kafka, f"{topic}.pim")
    producer.begin_transaction()
    for partition, count in enumerate(counts):
        for _ in range(count):
            producer.produce(topic, b"v", b"k", partition=partition)
    producer.commit_transaction(30)
    wait_decided(kafka, topic)


class Neighbour:
    """Another worker of the group that comes, takes partitions, and goes. Polls on a thread of its own."""

    def __init__(self) -> None:
        self.owned: set[int] = set()

    def assigned(self, committed: Sequence[Committed]) -> None:
        self.owned |= {start.partition.number for start in committed}

    def revoked(self, partitions: Sequence[Partition], *, lost: bool) -> None:
        self.owned -= {partition.number for partition in partitions}

    def drained(self, partition: Partition, end: int) -> None:
        """No lanes here."""

    def ends(self, offsets: Mapping[Partition, int]) -> None:
        """No lag here."""


@contextmanager
def neighbour(kafka: Kafka, topic: str) -> Iterator[Neighbour]:
    listener, leaves = Neighbour(), threading.Event()

    def live() -> None:
        link = opened(kafka, topic, "neighbour", listener)
        while not leaves.is_set():
            link.poll(0.05, 1)
        link.close()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield listener
    finally:
        leaves.set()
        thread.join()


@pytest.mark.usefixtures("topics")
async def test_an_idle_worker_is_alive_and_has_no_lag(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every partition ends in a transaction's marker, which no reader is ever brought."""
    monkeypatch.setattr(process_module, "STALLED_SECONDS", 1.5)
    publish(kafka, f"{prefix}.in", [3, 0])
    async with running(kafka, prefix, partitions=2) as scene:
        await until(lambda: scene.count(0) == 3, "the records")
        await until(lambda: scene.heard.lags.get(0) == 0, "no lag")
        lane, since = scene.lanes[0], time.monotonic()
        point = lane.point()
        assert point is not None
        assert point.offset < lane.drained_at, "the marker stands between"
        await until(lambda: scene.process.live() or time.monotonic() > since + 3, "twice the time of a stall")
        assert scene.process.live() == []
        publish(kafka, f"{prefix}.in", [2, 2])
        await until(lambda: (scene.count(0), scene.count(1)) == (5, 2), "what came later")
        await until(lambda: scene.heard.lags == {0: 0, 1: 0}, "no lag again")


@pytest.mark.usefixtures("topics")
async def test_a_lane_that_is_read_no_further_although_it_could_be_is_told(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side of it: a stall must be seen. Here the client was paused behind the station's back."""
    monkeypatch.setattr(process_module, "STALLED_SECONDS", 1.0)
    home = Partition(f"{prefix}.in", 1)
    async with running(kafka, prefix, partitions=2, limits=LaneLimits(tickets=5_000)) as scene:
        link = scene.station._link
        assert isinstance(link, KafkaLink)

        def pause_early() -> bool:
            is_begun = scene.lanes[1].open_tickets > 0
            if is_begun:
                link.pause(home)
            return is_begun

        def resume() -> bool:
            link.resume(home)
            return True

        scene.chores = [pause_early]
        publish(kafka, home.topic, [1, 3000])
        await until(lambda: any("lag, but no record" in each for each in scene.process.live()), "a complaint")
        assert scene.count(1) < 3000
        scene.chores = [resume]
        await until(lambda: scene.count(1) == 3000, "its other records")
        await until(lambda: scene.process.live() == [], "no complaint")


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("why", ["full", "paused"])
async def test_a_lane_that_stood_still_left_and_came_back_is_read_on(kafka: Kafka, prefix: str, why: str) -> None:
    """The client keeps a pause across assignments: a deploy in a backfill, or in an outage."""
    async with running(kafka, prefix, partitions=2, limits=LaneLimits(tickets=5)) as scene:
        scene.walks.keeps = why == "full"
        scene.is_paused = why == "paused"
        publish(kafka, f"{prefix}.in", [12, 12])
        await until(lambda: all(lane.paused for lane in scene.lanes.values()), "all lanes closed")
        with neighbour(kafka, f"{prefix}.in") as other:
            await until(lambda: len(other.owned) == 1 and len(scene.lanes) == 1, "one partition away")
        await until(lambda: len(scene.lanes) == 2, "both partitions back")
        await until(lambda: all(lane.paused for lane in scene.lanes.values()), "all lanes closed again")
        scene.is_paused = False
        scene.walks.let_go()
        await until(lambda: (scene.count(0), scene.count(1)) == (12, 12), "every record")
        publish(kafka, f"{prefix}.in", [3, 3])
        await until(lambda: (scene.count(0), scene.count(1)) == (15, 15), "what came later")
    wait_decided(kafka, scene.target)
    ends = [record.value() for record in read_all(kafka, scene.target)]
    assert len(ends) == len(set(ends)) == 30, "each record one end (L1)"


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize(
    "metadata", ["", "nonsense", "1:AAAAAAAA", encode(3, [(5, 8)]), encode(2, [(4, 6)])[:-3], "0:x"]
)
async def test_metadata_that_is_not_ours_or_damaged_skips_no_record(kafka: Kafka, prefix: str, metadata: str) -> None:
    """Of another offset, cut, or written by another tool: from the committed offset on, everything is read."""
    publish(kafka, f"{prefix}.in", [10, 0])
    commit(kafka, f"{prefix}.in", 2, metadata)
    async with running(kafka, prefix, partitions=2) as scene:
        await until(lambda: scene.heard.lags.get(0) == 0, "all read and ended")
        assert scene.walks.seen == [(0, offset) for offset in range(2, 10)]


@pytest.mark.usefixtures("topics")
async def test_marks_of_ours_skip_what_was_finished_and_nothing_else(kafka: Kafka, prefix: str) -> None:
    publish(kafka, f"{prefix}.in", [10, 0])
    commit(kafka, f"{prefix}.in", 2, encode(2, [(4, 6), (9, 10)]))
    async with running(kafka, prefix, partitions=2) as scene:
        await until(lambda: scene.heard.lags.get(0) == 0, "all read and ended")
        assert [offset for _, offset in scene.walks.seen] == [2, 3, 6, 7, 8]


def commit(kafka: Kafka, topic: str, offset: int, metadata: str) -> None:
    """As some earlier member of the group did."""
    member = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": f"{topic}.group"})
    try:
        member.commit(offsets=[TopicPartition(topic, 0, offset, metadata)], asynchronous=False)
    finally:
        member.close()


@pytest.mark.usefixtures("topics")
async def test_drained_is_told_of_each_partition_by_itself_and_again_after_more(kafka: Kafka, prefix: str) -> None:
    """An empty one, one of plain records, one that ends in an aborted transaction."""
    source = f"{prefix}.in"
    plain = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    plain.produce(source, b"v", partition=0)
    plain.flush(30)
    async with running(kafka, prefix, partitions=2) as scene:
        await until(lambda: {n: lane.drained_at for n, lane in scene.lanes.items()} == {0: 1, 1: 0}, "both ends")
        doomed = transactional_producer(kafka, f"{source}.pim")
        doomed.begin_transaction()
        doomed.produce(source, b"never", partition=1)
        doomed.flush(30)
        doomed.abort_transaction(30)
        wait_decided(kafka, source)
        await until(lambda: scene.lanes[1].drained_at == 2, "the end behind the aborted record and its marker")
        await until(lambda: scene.heard.lags.get(0) == 0, "no lag")
        assert scene.walks.seen == [(0, 0)]
        assert not scene.heard.lags.get(1)


@pytest.mark.usefixtures("topics")
async def test_into_full_lanes_one_more_comes_now_and_then_where_only_somebody_new_can_find_out(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped stage whose every ticket waits with a failure that is remembered."""
    monkeypatch.setattr(wicket_module, "LET_IN_SECONDS", 3600.0)
    monkeypatch.setattr(wicket_module, "OPEN_SECONDS", PATIENCE_SECONDS)
    async with running(kafka, prefix, partitions=2, limits=LaneLimits(tickets=2)) as scene:
        scene.walks.keeps = True  # before anything can come: what was delivered at once leaves no full lane
        publish(kafka, f"{prefix}.in", [2])
        await until(lambda: scene.count(0) == 2 and scene.lanes[0].paused, "a full lane")
        publish(kafka, f"{prefix}.in", [5])
        for came in (3, 4):
            scene.needs_news = True
            scene.chores = [scene.open_wicket]
            await until(partial(scene.has, came), "somebody new")
            scene.needs_news = False
            assert scene.count(0) == came
        assert scene.lanes[0].open_tickets == 4
        scene.walks.let_go()
        await until(lambda: scene.count(0) == 7, "the others")


@pytest.mark.usefixtures("topics")
async def test_what_only_passes_by_does_not_use_up_the_wicket(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retries of other stages, by the hundred: one of them every ten seconds would keep everybody out for hours."""
    monkeypatch.setattr(wicket_module, "LET_IN_SECONDS", 3600.0)
    monkeypatch.setattr(wicket_module, "OPEN_SECONDS", PATIENCE_SECONDS)
    async with running(kafka, prefix, partitions=2) as scene:
        scene.foreign = set(range(50))
        scene.is_paused = True
        await until(lambda: scene.lanes[0].paused, "a closed gate")
        publish(kafka, f"{prefix}.in", [60])
        scene.chores = [scene.open_wicket]
        await until(lambda: scene.count(0) > 50, "the first one that is news")
        await until(lambda: not scene.station._wicket.is_open, "the wicket shut")
        assert scene.count(0) == 51
        scene.foreign = set(range(10**6))
        scene.chores = [scene.open_wicket]
        await until(lambda: scene.station._wicket.is_open, "the wicket open again")
        scene.is_paused = False
        await until(lambda: not scene.station._wicket.is_open, "the wicket shut, though only retries pass by")

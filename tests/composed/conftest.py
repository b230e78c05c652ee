"""Plants for the composed tests: torn down whatever happens, their logs shown when a test fails."""

import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.composed.gate import Gate
from tests.composed.plant import Plant
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server

Plants = Callable[..., Plant]
Gates = Callable[[int], Gate]


@pytest.fixture
def plants(tmp_path: Path, s3: S3Server, prefix: str, request: pytest.FixtureRequest) -> Iterator[Plants]:
    """Opens a plant: `plants(behaviour=...)`; on one broker unless `kafka=` says otherwise."""
    opened: list[Plant] = []
    request.node.stash[OPENED] = opened

    def build(*, kafka: KafkaCluster | ExistingKafka | None = None, behaviour: dict[str, Any] | None = None) -> Plant:
        cluster = kafka or request.getfixturevalue("kafka")
        folder = tmp_path / f"plant-{len(opened)}"
        folder.mkdir()
        opened.append(Plant(cluster, s3, folder, f"{prefix}-{len(opened)}", behaviour=behaviour))
        return opened[-1]

    yield build
    for plant in opened:
        plant.close()


@pytest.fixture(scope="module")
def calm(
    tmp_path_factory: pytest.TempPathFactory, s3: S3Server, kafka: KafkaCluster | ExistingKafka
) -> Iterator[Plant]:
    """One plant with two workers and no faults, shared by a file: its tests take SKUs of their own."""
    plant = Plant(kafka, s3, tmp_path_factory.mktemp("calm"), f"calm{secrets.token_hex(5)}")
    try:
        plant.worker()
        plant.worker()
        yield plant
    finally:
        plant.close()


@pytest.fixture
def gates() -> Iterator[Gates]:
    """Gates in front of ports; closed at the end."""
    opened: list[Gate] = []

    def build(port: int) -> Gate:
        opened.append(Gate(port))
        return opened[-1]

    yield build
    for gate in opened:
        gate.close()


OPENED = pytest.StashKey[list[Plant]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The logs of a failed test's workers go into its report."""
    report = yield
    if report.failed and call.when == "call":
        shared = getattr(item, "funcargs", {}).get("calm")
        plants_used = [*item.stash.get(OPENED, []), *([shared] if shared else [])]
        report.sections += [(plant.prefix, plant.diary()) for plant in plants_used]
    return report

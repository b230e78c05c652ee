"""The services every floor of tests may ask for. Each is started at most once per run, and only if asked.

A service that cannot be had fails the run where CI is set: a delivery test that was skipped has proved nothing.
At a desk it skips, and the reason names the command that provides it.
"""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest
import structlog

from tests.services import ServiceMissing
from tests.services.kafka import ExistingKafka, KafkaCluster, open_breakable, open_kafka, refuse_to_break
from tests.services.s3 import S3Server
from tests.services.wheel import Installed, build_as_the_image, install

Service = TypeVar("Service")

# Machines are shared and noisy: how long one example takes proves nothing, nor how long drawing it takes.
hypothesis.settings.register_profile(
    "skustream", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("skustream")


def _demand(provide: Callable[[], Service]) -> Service:
    try:
        return provide()
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(f"a service is missing: {missing}", pytrace=False)
        pytest.skip(f"NOT PROVED HERE, a service is missing: {missing}")


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster | ExistingKafka]:
    """One broker, shared by the run: use topics and groups that begin with `prefix`."""
    cluster = _demand(open_kafka)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def guarded_kafka() -> Iterator[KafkaCluster]:
    """A broker with a second door (`guarded_servers`) where users have the rights that access lists give them."""
    cluster = _demand(lambda: open_breakable(1, guarded=True))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def kafka3() -> Iterator[KafkaCluster]:
    """Three brokers that may be killed; dead ones are back before the next test."""
    cluster = _demand(lambda: open_breakable(3))
    yield cluster
    cluster.stop()


@pytest.fixture
def breakable_kafka(kafka: KafkaCluster | ExistingKafka) -> Iterator[KafkaCluster]:
    """The one broker, for a test that kills and restarts it."""
    if isinstance(kafka, ExistingKafka):
        _demand(refuse_to_break)
    assert isinstance(kafka, KafkaCluster)
    yield kafka
    kafka.heal()


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    if "kafka3" not in request.fixturenames:
        yield
        return
    cluster: KafkaCluster = request.getfixturevalue("kafka3")
    yield
    cluster.heal()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """The S3 server, shared by the run: use buckets whose names begin with `prefix`."""
    server = _demand(lambda: S3Server().start())
    yield server
    server.stop()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the image installs, built once per run."""
    return build_as_the_image(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own."""
    return install(wheel, tmp_path_factory.mktemp("elsewhere") / "venv")


@pytest.fixture(autouse=True)
def _own_diary() -> Iterator[None]:
    """A command that ran in this process set its diary up on a stream that is closed now: nobody else writes there."""
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) is logging.StreamHandler:  # ours; pytest's own are of further classes
            root.removeHandler(handler)


@pytest.fixture
def diary_as_before() -> Iterator[None]:
    """For a test that sets up the diary itself: the root logger is left as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    # Taken off first, so that `force` closes none of pytest's own.
    for handler in handlers:
        root.removeHandler(handler)
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


@pytest.fixture
def prefix() -> str:
    """A name nobody else uses, for this test's topics, groups, transactional ids and buckets."""
    # Not from `random`, which is reseeded for each test.
    return f"t{secrets.token_hex(5)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have to tell although they passed: kills, what they hit, and the seed."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(text))
    if terminalreporter.getreports("failed") or terminalreporter.getreports("error"):
        seed = terminalreporter.config.getoption("randomly_seed", default=None)
        terminalreporter.write_line(f"the same order again: pytest --randomly-seed={seed}")

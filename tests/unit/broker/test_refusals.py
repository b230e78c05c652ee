"""What is late is not taken for what refuses us, and whom the broker cannot know is not asked about."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from stream.broker.refusals import meet
from stream.broker.rights import demand_rights
from stream.core.errors import Unavailable
from stream.roles import Grant, Kind

HELLO_BYTES = 4096


@dataclass(slots=True)
class Balancer:
    """Where it listens, and how many came."""

    address: str
    callers: int = 0


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    """It takes every connection, has no broker to hand it to, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        balancer = Balancer("{}:{}".format(*door.getsockname()))

        def serve() -> None:
            with suppress(OSError):  # closed: the end
                while True:
                    caller, _ = door.accept()
                    balancer.callers += 1
                    with caller, suppress(OSError):
                        caller.recv(HELLO_BYTES)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield balancer
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        serving.join(30)


@pytest.mark.parametrize("protocol", ["SSL", "PLAINTEXT"])
def test_a_balancer_before_its_broker_is_late_and_no_refusal(balancer: Balancer, protocol: str) -> None:
    """Only a refusal ends a start at once."""
    with pytest.raises(Unavailable) as late:
        meet({"bootstrap.servers": balancer.address, "security.protocol": protocol}, timeout_seconds=1)
    assert not late.value.is_refusal
    assert "SKUSTREAM_KAFKA_SECURITY_PROTOCOL" in str(late.value)


def test_the_rights_of_a_client_without_a_name_are_not_asked_for(balancer: Balancer) -> None:
    """The broker of `skustream demo` leaves the question unanswered, for ten seconds."""
    wanted = [Grant(Kind.TOPIC, "t", ("Read",))]
    demand_rights({"bootstrap.servers": balancer.address}, wanted, timeout_seconds=1)
    assert balancer.callers == 0

"""An upload's silence: a slow peer is waited for, one that stands still is noticed."""

import asyncio
from pathlib import Path

import pytest

from stream.objects.s3_files import Body, while_moving

SILENCE_SECONDS = 1.0


@pytest.fixture
def body(tmp_path: Path) -> Body:
    path = tmp_path / "picture"
    path.write_bytes(b"12345678")
    return Body(path)


async def test_a_slow_peer_is_waited_for(body: Body) -> None:
    taken = []

    async def slowly() -> None:
        while piece := await asyncio.to_thread(body.read, 1):
            taken.append(piece)
            await asyncio.sleep(SILENCE_SECONDS / 5)

    with body:
        await while_moving(slowly(), body, SILENCE_SECONDS)
    assert b"".join(taken) == b"12345678"


async def test_a_peer_that_stands_still_is_noticed_and_let_go(body: Body) -> None:
    ended = asyncio.Event()

    async def stalls() -> None:
        body.read(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with body, pytest.raises(TimeoutError):
        await while_moving(stalls(), body, SILENCE_SECONDS)
    assert ended.is_set()


async def test_a_fault_in_sending_is_passed_on(body: Body) -> None:
    async def breaks() -> None:
        raise ConnectionResetError

    with body, pytest.raises(ConnectionResetError):
        await while_moving(breaks(), body, SILENCE_SECONDS)

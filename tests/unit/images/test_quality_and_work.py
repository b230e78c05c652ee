"""The judgement of cut-outs, and the threads in which pixels are worked on."""

import asyncio
import threading
from pathlib import Path

import pytest

from stream.images.quality import alpha_share
from stream.images.work import ImageWorkers
from tests.unit.images import samples


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_the_share_of_what_is_left(tmp_path: Path, share: float, suffix: str) -> None:
    path = samples.write(samples.cut_out(800, 400, share), tmp_path / f"a.{suffix}")
    assert alpha_share(path) == pytest.approx(share, abs=0.01)


def test_without_transparency_all_is_left(tmp_path: Path) -> None:
    assert alpha_share(samples.write(samples.noise(30, 30), tmp_path / "a.jpg")) == 1.0


def test_a_deep_alpha_is_read_by_its_upper_byte(tmp_path: Path) -> None:
    deep = (samples.cut_out(80, 80, 0.5).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    path = samples.write(deep, tmp_path / "a.png", bitdepth=16)
    assert alpha_share(path) == pytest.approx(0.5, abs=0.02)


class Gate:
    """Work that says when it runs and ends when it is told to."""

    def __init__(self) -> None:
        self.running = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.ended = 0

    def work(self) -> str:
        self.running.release()
        self.go_on.wait(30)
        self.ended += 1
        return "done"


async def test_no_more_pictures_at_once_than_threads() -> None:
    workers, gate = ImageWorkers(2), Gate()
    tasks = [asyncio.create_task(workers.run(gate.work)) for _ in range(5)]
    for _ in range(2):
        assert await asyncio.to_thread(gate.running.acquire, timeout=30)
    assert not gate.running.acquire(blocking=False)
    gate.go_on.set()
    assert await asyncio.gather(*tasks) == ["done"] * 5
    await workers.aclose()


async def test_a_cancelled_caller_leaves_after_its_picture_and_gives_the_place_on() -> None:
    workers, gate = ImageWorkers(1), Gate()
    task = asyncio.create_task(workers.run(gate.work))
    assert await asyncio.to_thread(gate.running.acquire, timeout=30)
    waiting = asyncio.create_task(workers.run(gate.work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # a second one changes nothing
    await asyncio.sleep(0)
    assert not task.done()
    gate.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.ended == 1
    assert await workers.run(lambda: 7) == 7
    await workers.aclose()


async def test_errors_come_back_to_the_caller() -> None:
    workers = ImageWorkers(1)

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await workers.run(fail)
    await workers.aclose()

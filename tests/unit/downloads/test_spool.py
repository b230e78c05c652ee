"""The spool: bounded, first come first served, and clean after a crash."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.core.clock import SystemClock
from stream.core.errors import Misconfigured, Resource, Unavailable
from stream.downloads.spool import Budget, Spool, Writer

CLOCK = SystemClock()


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_finds_it_full_waits_in_line() -> None:
    budget = Budget(100)
    await budget.take(80)
    first = asyncio.create_task(budget.take(60))
    await _settle()
    second = asyncio.create_task(budget.take(10))
    await _settle()
    assert not first.done()
    assert not second.done(), "a small one does not pass a large one, which would starve"
    budget.give(80)
    await asyncio.gather(first, second)
    assert budget.used_bytes == 70


async def test_a_cancelled_one_leaves_the_line_and_lets_the_next_pass() -> None:
    budget = Budget(100)
    await budget.take(80)
    large = asyncio.create_task(budget.take(60))
    await _settle()
    small = asyncio.create_task(budget.take(20))
    await _settle()
    large.cancel()
    await small
    assert (budget.used_bytes, budget.waiting) == (100, 0)


async def test_cancelled_in_the_moment_of_its_turn_it_gives_its_share_back() -> None:
    budget = Budget(100)
    await budget.take(100)
    task = asyncio.create_task(budget.take(100))
    await _settle()
    budget.give(100)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.used_bytes == 0
    other = asyncio.create_task(budget.take(100))
    await _settle()
    task = asyncio.create_task(budget.take(100))
    await _settle()
    task.cancel()
    budget.give(100)
    await _settle()
    assert (other.done(), budget.used_bytes) == (True, 0)


async def test_a_place_is_emptied_and_given_back_whatever_happens(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100, CLOCK)
    places = []

    async def walk() -> None:
        async with spool.place(60, ".png") as place:
            places.append(place)
            place.path.write_bytes(b"x" * 10)
            place.shrink(10)
            assert spool.budget.used_bytes == 10
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await walk()
    async with spool.place(60) as folder:
        folder.path.mkdir()
        (folder.path / "a").write_text("a")
    assert spool.budget.used_bytes == 0
    assert not places[0].path.exists()
    assert not folder.path.exists()
    spool.close()
    assert names_in(tmp_path) == [".gate"]


async def test_two_walkers_that_each_hold_a_place_do_not_wait_for_each_other(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100, CLOCK)
    both = asyncio.Barrier(2)

    async def walk() -> None:
        async with spool.place(50):
            await both.wait()
            async with spool.place(50):
                pass

    await asyncio.wait_for(asyncio.gather(walk(), walk()), 30)
    assert spool.budget.used_bytes == 0
    spool.close()


async def test_holding_ends_with_the_place_also_for_tasks_born_inside(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100, CLOCK)
    left = asyncio.Event()

    async def later() -> None:
        await left.wait()
        async with spool.place(50):
            pass

    async with spool.place(10):
        child = asyncio.create_task(later())
        await _settle()
    await spool.budget.take(100)
    left.set()
    await _settle()
    assert not child.done()
    assert spool.budget.waiting == 1
    spool.budget.give(100)
    await child
    spool.close()


async def test_a_suffix_leads_nowhere_else(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100, CLOCK)
    with pytest.raises(ValueError, match="suffix"):
        async with spool.place(1, "/../../evil"):
            pass
    spool.close()


def test_a_killed_process_leaves_nothing_for_long_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys, signal, pathlib; from stream.core.clock import SystemClock;"
        "from stream.downloads.spool import Spool;"
        "s = Spool(pathlib.Path(sys.argv[1]), 100, SystemClock()); (s._folder / 'file').write_text('x');"
        "print(s._folder, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        Spool(tmp_path, 100, CLOCK).close()
        assert (folder / "file").exists()
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (folder / "file").exists()
    (tmp_path / "somebody-elses").mkdir()
    spool = Spool(tmp_path, 100, CLOCK)
    assert not folder.exists()
    assert (tmp_path / "somebody-elses").exists()
    spool.close()


def test_a_folder_without_a_lock_is_a_leftover_only_when_it_is_old(tmp_path: Path) -> None:
    young, old = tmp_path / "spool-1-00000001", tmp_path / "spool-1-00000002"
    young.mkdir()
    old.mkdir()
    os.utime(old, (1, 1))
    Spool(tmp_path, 100, CLOCK).close()
    assert young.exists()
    assert not old.exists()


def test_a_folder_that_cannot_be_used_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="spool folder"):
        Spool(tmp_path / "file", 100, CLOCK)


def test_a_disk_that_refuses_is_the_environments_fault() -> None:
    """/dev/full refuses every write as a full disk does."""
    writer = Writer(Path("/dev/full"))
    with Path("/dev/full").open("ab", buffering=0) as full:
        writer._file = full
        with pytest.raises(Unavailable) as caught:
            writer.write(b"x")
    assert caught.value.resource is Resource.DISK

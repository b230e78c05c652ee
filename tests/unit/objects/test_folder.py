import asyncio
import errno
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent

import pytest

from stream.core.errors import Misconfigured, Resource, Unavailable
from stream.objects import durable
from stream.objects.folder import FolderStore
from stream.objects.options import InputMode, StoreOptions
from stream.objects.port import ObjectStore
from tests.contract.stores import Calls, HastyClock, folder_store, recorder

INCREMENT = """
    import asyncio, json, sys
    from pathlib import Path
    from tests.contract.stores import folder_store

    async def main(root, owner, rounds):
        async with folder_store(Path(root)) as store:
            for round_ in range(int(rounds)):
                while True:
                    found = await store.read("counter")
                    count = json.loads(found.body)["count"] + 1
                    body = json.dumps({"count": count, "nonce": [owner, round_]}).encode()
                    if await store.replace("counter", body, found.tag) is not None:
                        break
                print(count, flush=True)

    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ObjectStore]:
    async with folder_store(tmp_path / "store") as opened:
        yield opened


def incrementing(root: Path, owner: int, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", dedent(INCREMENT), str(root), str(owner), str(rounds)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


async def test_no_update_is_lost_among_three_processes(store: ObjectStore, tmp_path: Path) -> None:
    await store.create("counter", b'{"count": 0}')
    processes = [incrementing(tmp_path / "store", owner, 20) for owner in range(3)]
    for process in processes:
        await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
    found = await store.read("counter")
    assert found is not None
    assert json.loads(found.body)["count"] == 60


async def test_a_writer_killed_at_work_leaves_a_whole_document_and_no_lock(store: ObjectStore, tmp_path: Path) -> None:
    await store.create("counter", b'{"count": 0}')
    acknowledged = 0
    for owner in range(3):
        process = incrementing(tmp_path / "store", owner, 100_000)
        assert process.stdout is not None
        for _ in range(5):
            acknowledged = int(await asyncio.to_thread(process.stdout.readline))
        process.send_signal(signal.SIGKILL)
        told, _ = await asyncio.to_thread(process.communicate)
        acknowledged = max([acknowledged, *(int(line) for line in told.splitlines(keepends=True) if line[-1:] == "\n")])
        found = await store.read("counter")
        assert found is not None
        assert json.loads(found.body)["count"] - acknowledged in {0, 1}
        assert await store.replace("counter", json.dumps({"count": acknowledged + 1}).encode(), found.tag)


@pytest.mark.parametrize(
    "key", ["", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "./a", ".locks/00", "a/", "a\0b"]
)
async def test_a_key_never_leaves_the_folder(store: ObjectStore, key: str, tmp_path: Path) -> None:
    for call in (
        store.read(key),
        store.create(key, b"{}"),
        store.replace(key, b"{}", "tag"),
        store.stat(key),
        store.get_file(key, tmp_path / "target", max_bytes=1),
    ):
        with pytest.raises(ValueError, match="not a key"):
            await call


async def test_what_failed_is_counted_and_what_is_not_there_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = Calls()
    store = FolderStore(tmp_path, StoreOptions(), recorder=recorder(calls), clock=HastyClock())
    assert await store.read("doc") is None

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable):
        await store.create("doc", b"{}")
    assert calls.stored_actions == {"read": 1, "create": 1}
    assert calls.failed_actions == {"create": 1}


@pytest.mark.parametrize(
    ("number", "resource"),
    [(errno.ENOSPC, Resource.DISK), (errno.EDQUOT, Resource.DISK), (errno.EIO, Resource.STORE)],
)
async def test_a_full_disk_is_told_from_a_broken_one(
    store: ObjectStore, number: int, resource: Resource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tag = await store.create("doc", b"before")
    assert tag is not None

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    for call in (store.create("other", b"{}"), store.replace("doc", b"after", tag)):
        with pytest.raises(Unavailable, match=os.strerror(number)) as told:
            await call
        assert told.value.resource is resource
    monkeypatch.undo()
    found = await store.read("doc")
    assert found is not None
    assert found.body == b"before"
    assert await store.read("other") is None
    assert not list((tmp_path / "store" / ".tmp").iterdir())


async def test_a_write_that_failed_after_landing_is_ours_when_tried_again(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "bad sector")

    await store.create("folder-exists-already", b"{}")
    monkeypatch.setattr(durable, "sync_folder", fail)
    with pytest.raises(Unavailable, match="bad sector"):
        await store.create("doc", b"ours")
    monkeypatch.undo()
    assert await store.create("doc", b"ours") is not None
    assert await store.create("doc", b"theirs") is None


async def test_a_document_ages_from_its_last_write(store: ObjectStore, tmp_path: Path) -> None:
    await store.create("a/doc.json", b"{}")
    path = tmp_path / "store/a/doc.json"
    then = path.stat().st_mtime - 100
    os.utime(path, (then, then))
    found = await store.read("a/doc.json")
    assert found is not None
    assert 100 <= found.age_seconds < 160
    assert path.read_bytes() == b"{}"  # a person reads exactly what was written


async def test_a_folder_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with folder_store(tmp_path / "file") as store:
        for call in (store.probe(), store.create("doc", b"{}")):
            with pytest.raises(Unavailable) as told:
                await call
            assert told.value.resource is Resource.STORE


async def test_the_probe_refuses_locks_that_do_not_hold(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(Misconfigured, match="locks do not hold"):
        await store.probe()


async def test_the_probe_sweeps_what_a_killed_process_left(store: ObjectStore, tmp_path: Path) -> None:
    await store.create("doc", b"{}")
    old, new = (tmp_path / "store/.tmp" / name for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    await store.probe()
    assert [new] == list((tmp_path / "store/.tmp").iterdir())
    assert not list((tmp_path / "store/_ledger/probe").iterdir())


async def test_the_probe_does_not_stumble_over_what_a_neighbour_moves_away(store: ObjectStore, tmp_path: Path) -> None:
    """A file that is listed and gone when it is looked at; a link that leads nowhere is told the same way."""
    await store.create("doc", b"{}")
    temporary = tmp_path / "store/.tmp"
    for name in ("a", "z"):
        (temporary / name).symlink_to(temporary / "moved")
    old = temporary / "m"
    old.write_bytes(b"half")
    os.utime(old, (1, 1))
    await store.probe()
    assert not old.exists()


async def test_a_worker_starts_beside_one_that_writes(store: ObjectStore, tmp_path: Path) -> None:
    await store.create("doc", b"{}")
    is_over = threading.Event()
    written = 0

    def neighbour() -> None:
        nonlocal written
        while not is_over.is_set():
            with durable.written(tmp_path / "store/.tmp", io.BytesIO(b"x")):
                written += 1

    task = asyncio.create_task(asyncio.to_thread(neighbour))
    try:
        for _ in range(20):
            await store.probe()
    finally:
        is_over.set()
        await task
    assert written > 0


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (StoreOptions(), None),
        (StoreOptions(public_base_url="https://cdn.example/x/"), "https://cdn.example/x/a~20b/p.png"),
        (StoreOptions(public_base_url="http://localhost:8000"), None),
        (StoreOptions(public_base_url="http://lan", input_mode=InputMode.PUBLIC), "http://lan/a~20b/p.png"),
        (StoreOptions(public_base_url="https://cdn.example", input_mode=InputMode.UPLOAD), None),
    ],
)
async def test_pixelapi_gets_a_url_only_where_one_can_be_reached(
    options: StoreOptions, url: str | None, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path, options, recorder=recorder(), clock=HastyClock())
    assert await store.fetch_url("a~20b/p.png", valid_seconds=60) == url
    assert store.public_url("a~20b/p.png").endswith("/a~20b/p.png")

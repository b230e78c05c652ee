"""The spool: a bounded temporary folder, one subfolder per process, where every download waits for its work.

Comes in: who needs room for a file; waits in line while the spool is full. Goes out: a place, emptied when left.
A dead process leaves its subfolder behind; the next start finds its lock free and removes it.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from io import FileIO
from pathlib import Path
from typing import TypeVar

from stream.core.clock import Clock
from stream.core.errors import Misconfigured, Resource, Unavailable, shown

T = TypeVar("T")

_FOLDER = re.compile(r"spool-\d+-[0-9a-f]{8}")
_GATE = ".gate"
_LOCK = "lock"
_LOCKLESS_SECONDS = 3600.0
"""A folder without its lock file (a crash in the very moment of making it) is a leftover only after this long."""
_THREADS = 2

# Who holds a place already is not kept waiting for another: two walkers, each holding one, would wait for ever.
_held: ContextVar[tuple["Place", ...]] = ContextVar("skustream_spool_places", default=())


class Budget:
    """Bytes given out in the order they were asked for. Pure bookkeeping on one loop."""

    def __init__(self, total_bytes: int) -> None:
        """`total_bytes`: what may be out at once."""
        self.total_bytes = total_bytes
        self.used_bytes = 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    async def take(self, amount_bytes: int, *, at_once: bool = False) -> None:
        """Take `amount_bytes`, after those who came earlier; `at_once` passes the line and the bound."""
        if at_once or (not self._line and self.used_bytes + amount_bytes <= self.total_bytes):
            self.used_bytes += amount_bytes
            return
        entry = (amount_bytes, asyncio.get_running_loop().create_future())
        self._line.append(entry)
        try:
            await entry[1]
        except asyncio.CancelledError:
            if entry in self._line:
                self._line.remove(entry)
                self._call_next()
            else:  # it was given in the very moment of the cancellation
                self.give(amount_bytes)
            raise

    def give(self, amount_bytes: int) -> None:
        """Give back `amount_bytes`."""
        self.used_bytes -= amount_bytes
        self._call_next()

    def _call_next(self) -> None:
        while self._line and self.used_bytes + self._line[0][0] <= self.total_bytes:
            amount_bytes, future = self._line.popleft()
            self.used_bytes += amount_bytes
            if not future.done():
                future.set_result(None)
            # A cancelled one gives its share back itself when it wakes.


class Place:
    """Room in the spool with a free path. `open` until it is left."""

    def __init__(self, path: Path, reserved_bytes: int, budget: Budget) -> None:
        """`reserved_bytes` have been taken from `budget`."""
        self.path = path
        self.open = True
        self._reserved_bytes = reserved_bytes
        self._budget = budget

    def shrink(self, to_bytes: int) -> None:
        """Keep only `to_bytes` reserved; never grows."""
        spare = self._reserved_bytes - to_bytes
        if spare > 0:
            self._reserved_bytes = to_bytes
            self._budget.give(spare)

    def leave(self) -> None:
        """Give the rest back."""
        self.open = False
        self.shrink(0)


class Writer:
    """A new file being filled, hashed on the way. Its methods block: call them through `Spool.run`."""

    def __init__(self, path: Path) -> None:
        """The file at `path` is made by the first write."""
        self._path = path
        self._file: FileIO | None = None
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes | bytearray) -> None:
        """Append `data`. Raises `Unavailable(disk)`."""
        rest = memoryview(data)
        with disk_errors():
            if self._file is None:
                self._file = FileIO(self._path, "xb")
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        self._hash.update(data)
        self.bytes += len(data)

    def close(self) -> None:
        """Close the file. Raises `Unavailable(disk)`: some file systems say only now that they are full."""
        if self._file is not None:
            with disk_errors():
                self._file.close()

    @property
    def sha256(self) -> str:
        """The digest so far, in hex."""
        return self._hash.hexdigest()


class disk_errors:  # noqa: N801 - reads as a statement
    """What the disk refuses inside this block becomes `Unavailable(disk)`."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate an OSError."""
        if isinstance(error, OSError):
            raise Unavailable(Resource.DISK, f"the spool's disk refused: {error.strerror or error.errno}") from None


class Spool:
    """This process's own folder below `folder`, holding at most `total_bytes` (see `place` for the one exception)."""

    def __init__(self, folder: Path, total_bytes: int, clock: Clock) -> None:
        """Remove the leftovers of dead processes, then make and lock our own subfolder.

        Raises `Misconfigured` where the folder cannot be used, `Unavailable(disk)` where it is full.
        """
        self.budget = Budget(total_bytes)
        self._threads = ThreadPoolExecutor(_THREADS, "spool")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder, self._lock = _moved_in(folder, clock.wall())
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise Unavailable(Resource.DISK, f"the spool's disk refused: {error.strerror}") from None
            raise Misconfigured(f"the spool folder {folder} cannot be used: {error.strerror}") from None

    @asynccontextmanager
    async def place(self, reserve_bytes: int, suffix: str = "") -> AsyncIterator[Place]:
        """Room for a file of up to `reserve_bytes`; waits while the spool is full, unless the caller holds a place."""
        if suffix and not re.fullmatch(r"[.\w-]{1,40}", suffix):
            raise ValueError(f"{shown(suffix)} is no file suffix")
        mine = tuple(each for each in _held.get() if each.open)
        await self.budget.take(reserve_bytes, at_once=bool(mine))
        place = Place(self._folder / (secrets.token_hex(12) + suffix), reserve_bytes, self.budget)
        _held.set((*mine, place))
        try:
            yield place
        finally:
            _removed(place.path)
            place.leave()

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking file work in the spool's threads. A cancelled caller leaves only after the work has ended."""
        task = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # looked at, so that nobody warns of it
            raise

    def close(self) -> None:
        """Remove our folder and release its lock."""
        self._threads.shutdown(wait=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


def _removed(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _moved_in(folder: Path, now_seconds: float) -> tuple[Path, int]:
    gate = os.open(folder / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)  # short: nobody sweeps while another one moves in
        _sweep(folder, now_seconds)
        own = folder / f"spool-{os.getpid()}-{secrets.token_hex(4)}"
        own.mkdir(mode=0o700)
        lock = os.open(own / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return own, lock
    finally:
        os.close(gate)


def _sweep(folder: Path, now_seconds: float) -> None:
    for leftover in folder.iterdir():
        if _FOLDER.fullmatch(leftover.name) and not leftover.is_symlink() and _is_dead(leftover, now_seconds):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_dead(folder: Path, now_seconds: float) -> bool:
    """Whether the owner is gone: its lock went with it, even after SIGKILL, and in whichever container it ran."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return now_seconds - folder.stat().st_mtime > _LOCKLESS_SECONDS
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(lock)

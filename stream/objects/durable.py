"""Blocking file work that survives a power cut: the folder store's hands, always called in a thread.

Comes in: paths and bytes. Goes out: files that are on the disk when the call returns, or OSError.
"""

import errno
import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stream.core.errors import Resource, Unavailable

_CHUNK_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def unavailable(error: OSError, where: str, resource: Resource = Resource.STORE) -> Unavailable:
    """An OSError at `where` as the environment's fault: a full disk, or `resource` refuses us."""
    said = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return Unavailable(Resource.DISK, f"{where}: {said}: free some space", is_refusal=True)
    return Unavailable(resource, f"{where}: {said}", is_refusal=True)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable: a file's own fsync says nothing about its name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_folder(folder: Path) -> None:
    """Create `folder` and what is missing above it, durably."""
    if folder.is_dir():
        return
    ensure_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as error:  # where nothing can be made (/proc): not to be taken for a missing key
        raise unavailable(error, str(folder)) from error
    sync_folder(folder.parent)


@contextmanager
def written(folder: Path, source: BinaryIO) -> Iterator[tuple[Path, str]]:
    """A durable temporary file in `folder` with `source`'s bytes, and their sha256 in hex; removed at the end."""
    ensure_folder(folder)
    path = folder / uuid.uuid4().hex
    try:
        with path.open("xb") as file:
            digest = copy(source, file)
            file.flush()
            os.fsync(file.fileno())
        yield path, digest
    finally:
        path.unlink(missing_ok=True)


def copy(source: BinaryIO, target: BinaryIO, max_bytes: int | None = None) -> str:
    """Copy in pieces of 1 MiB and return the sha256 in hex. Raises ValueError beyond `max_bytes`."""
    digest = hashlib.sha256()
    copied = 0
    while piece := source.read(_CHUNK_BYTES):
        copied += len(piece)
        if max_bytes is not None and copied > max_bytes:
            raise ValueError(f"more than {max_bytes} bytes")
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()


def link(temporary: Path, path: Path) -> bool:
    """Give the file its name if nobody has it: False when somebody has. Durable when it returns."""
    ensure_folder(path.parent)
    try:
        os.link(temporary, path)  # unlike rename, link never overwrites: the kernel decides who was first
    except FileExistsError:
        return False
    sync_folder(path.parent)
    return True


def rename(temporary: Path, path: Path) -> None:
    """Put the file in the place of another, at once and durably: readers see the old bytes or the new."""
    temporary.replace(path)
    sync_folder(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` against all threads and processes of this machine; the kernel frees it if we die."""
    with _lock_file(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def locks_hold(path: Path) -> bool:
    """Whether this file system's locks keep a second holder out (some network file systems do not)."""
    with _lock_file(path) as first, _lock_file(path) as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _lock_file(path: Path) -> BinaryIO:
    ensure_folder(path.parent)
    return path.open("ab")

"""Sources that are not on the web: files below a configured folder, and objects of an S3 store.

Comes in: `file://` and `s3://` URLs of events. Goes out: open files and chunks, or `Refused` and FileNotFoundError.
"""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote

from yarl import URL

from stream.downloads.guard import Refused


class S3Reader(Protocol):
    """The hook for `s3://bucket/key` sources; whoever knows S3 and its credentials provides it.

    Both raise FileNotFoundError where nothing stands at the key, `Rejected(source-refused)` where we may not read,
    `Transient` where no answer came, and `Unavailable(sources)` where our keys are at fault.
    """

    def open(self, bucket: str, key: str) -> AbstractAsyncContextManager[tuple[int, AsyncIterator[bytes]]]:
        """The object's size in bytes, and its bytes in pieces of at most 1 MiB."""
        ...

    async def etag(self, bucket: str, key: str) -> str | None:
        """What changes when the object does, by HEAD."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def bucket_and_key(url: URL) -> tuple[str, str]:
    """The two halves of an `s3://` URL. Raises `Refused`."""
    if url.raw_query_string or url.raw_fragment:
        raise Refused("an s3:// URL has no '?' and no '#'; in a key they are written %3F and %23")
    bucket, key = url.raw_host or "", unquote(url.raw_path.removeprefix("/"))
    if not bucket or not key:
        raise Refused("an s3:// URL names a bucket and a key")
    return bucket, key


def open_file(url: URL, root: Path | None) -> BinaryIO:
    """The regular file that a `file://` URL below `root` names; blocks.

    Raises `Refused` outside of `root` or where there is none, OSError where it cannot be read.
    """
    if root is None:
        raise Refused("file:// sources are not configured")
    if url.raw_host not in {None, "", "localhost"}:
        raise Refused("a file:// URL names no host")
    with suppress(ValueError):  # a NUL byte
        path = Path(unquote(url.raw_path)).resolve()
        if path.is_relative_to(root.resolve()):
            return _regular(path)
    raise Refused("the file is not below the configured folder")


def _regular(path: Path) -> BinaryIO:
    # Not blocking: a pipe in the folder must not hold a thread until somebody writes to it.
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise FileNotFoundError("not a regular file")
    return os.fdopen(number, "rb")

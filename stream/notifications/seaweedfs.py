"""SeaweedFS's own shape: its filer publishes every change of every file as protobuf, and knows no S3 notifications.

Comes in: a record's bytes. Goes out: what was created, or why it asks for nothing; None when it is not this shape.
Source: `EventNotification` in SeaweedFS's `weed/pb/filer.proto`, and records of the server itself (4.48): a file in a
bucket lies at `/buckets/<bucket>/<key>`, parts of an upload below `.uploads/`. Its time is in whole seconds, in which
an object may be put twice; that of its last chunk is in nanoseconds.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from stream.events import EPOCH
from stream.notifications.entry import Created, Ignored

_OLD_ENTRY, _NEW_ENTRY, _NEW_PARENT_PATH = 1, 2, 4
_NAME, _IS_DIRECTORY, _CHUNKS, _ATTRIBUTES = 1, 2, 3, 4
_MODIFIED_SECONDS = 2  # of the attributes
_MODIFIED_NANOSECONDS = 4  # of a chunk
_BEGINNINGS = (b"\x0a", b"\x12")
"""The tags of the two entries; no JSON begins with the second, and what begins with the first is hardly protobuf."""
_BUCKETS = "/buckets/"
_UPLOADS = ".uploads/"
_LONGEST_VARINT_BITS = 63
_LATEST_MICROSECONDS = 253_402_300_799_999_999  # the end of the year 9999


def read_change(value: bytes) -> Created | Ignored | None:
    """One change of one file. It is a creation wherever something stands afterwards: new, replaced or moved there."""
    if value[:1] not in _BEGINNINGS:
        return None
    try:
        change = dict(_fields(value))
        if _NEW_ENTRY not in change:
            return Ignored("removed") if dict(_fields(_bytes(change[_OLD_ENTRY]))).get(_NAME) else None
        entry = dict(_fields(_bytes(change[_NEW_ENTRY])))
        path = f"{_bytes(change[_NEW_PARENT_PATH]).decode()}/{_bytes(entry[_NAME]).decode()}"
        time = _time(entry)
    except (ValueError, KeyError):
        return None
    if entry.get(_IS_DIRECTORY):
        return Ignored("folder")
    bucket, _, key = path.removeprefix(_BUCKETS).partition("/")
    if not path.startswith(_BUCKETS) or bucket.startswith(".") or not key:
        return Ignored("not-in-a-bucket")
    return Ignored("part-of-an-upload") if key.startswith(_UPLOADS) else Created(bucket, key, time)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message, as its wire format has them. Raises ValueError."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:  # noqa: PLR2004 - of a length
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if number == 0 or size < 0 or at + size > len(message):
            raise ValueError("not protobuf")
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _LONGEST_VARINT_BITS + 1, 7):
        if at >= len(message):
            break
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value, at
    raise ValueError("not protobuf")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")  # noqa: TRY004 - of the message, not of our call
    return value


def _time(entry: Mapping[int, int | bytes]) -> str:
    attributes = dict(_fields(_bytes(entry[_ATTRIBUTES])))
    last_chunk = dict(_fields(_bytes(entry.get(_CHUNKS, b""))))
    nanoseconds = last_chunk.get(_MODIFIED_NANOSECONDS, 0)
    seconds = attributes[_MODIFIED_SECONDS]
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        raise ValueError("no time")  # noqa: TRY004 - of the message, not of our call
    micros = nanoseconds // 1000 or seconds * 1_000_000
    if micros > _LATEST_MICROSECONDS:
        raise ValueError("no time")
    return (EPOCH + timedelta(microseconds=micros)).isoformat()

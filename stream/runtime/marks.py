"""Commit metadata: which offsets beyond the committed one are finished already, so that a restart repeats none of them.

Comes in: finished ranges above a base offset. Goes out: text of at most 4,095 bytes, checksummed, and back again.
Unreadable text never skips a record: it decodes to nothing finished, and the ledger makes the repetition free.

Format: `1:` + base64url(crc32 (4 bytes, over base offset and body) + body). The body is pairs of varints: the distance
from the end of the previous range (from the base at first) to the next range, and that range's length.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable

MAX_TEXT_BYTES = 4_095
"""Kafka's default `offset.metadata.max.bytes` is 4,096, and that many are refused already (measured, Kafka 4.3)."""
VERSION_PREFIX = "1:"
BODY_LIMIT_BYTES = (MAX_TEXT_BYTES - len(VERSION_PREFIX)) // 4 * 3 - 4
"""How large a body may be and still fit as text, checksum included."""

Range = tuple[int, int]
"""Offsets from the first (inclusive) to the second (exclusive)."""

CONTINUES = 0x80
SEVEN_BITS = 0x7F
LONGEST_VARINT_BITS = 63


class UnreadableMarks(ValueError):
    """The text is not ours, damaged, or belongs to another offset."""


def encode(base: int, ranges: Iterable[Range]) -> str:
    """Text for ascending, disjoint, non-empty `ranges` above `base`; empty text for none."""
    body = bytearray()
    previous = base
    for start, end in ranges:
        if not previous <= start < end:
            raise ValueError(f"range {start}..{end} after {previous}")
        body += varint(start - previous) + varint(end - start)
        previous = end
    if not body:
        return ""
    return VERSION_PREFIX + base64.urlsafe_b64encode(_checksum(base, bytes(body)) + body).decode()


def decode(base: int, text: str) -> list[Range]:
    """The finished ranges above `base`. Raises `UnreadableMarks`; empty text means none."""
    if not text:
        return []
    if not text.startswith(VERSION_PREFIX) or len(text) > MAX_TEXT_BYTES:
        raise UnreadableMarks("not in our format")
    try:
        blob = base64.b64decode(text[len(VERSION_PREFIX) :].encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise UnreadableMarks(f"not base64: {error}") from None
    checksum, body = blob[:4], blob[4:]
    if _checksum(base, body) != checksum:
        raise UnreadableMarks("the checksum does not fit this offset")
    return _ranges(base, body)


def _ranges(base: int, body: bytes) -> list[Range]:
    numbers = list(_varints(body))
    if len(numbers) % 2:
        raise UnreadableMarks("an odd number of distances")
    ranges: list[Range] = []
    previous = base
    for distance, length in zip(numbers[::2], numbers[1::2], strict=True):
        if length == 0:
            raise UnreadableMarks("an empty range")
        ranges.append((previous + distance, previous + distance + length))
        previous += distance + length
    return ranges


def varint(number: int) -> bytes:
    """LEB128: seven bits a byte, lowest first."""
    out = bytearray()
    while number > SEVEN_BITS:
        out.append(number & SEVEN_BITS | CONTINUES)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varints(body: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in body:
        number |= (byte & SEVEN_BITS) << shift
        shift += 7
        if not byte & CONTINUES:
            yield number
            number = shift = 0
        elif shift >= LONGEST_VARINT_BITS:
            raise UnreadableMarks("a number without end")
    if shift:
        raise UnreadableMarks("cut off")


def _checksum(base: int, body: bytes) -> bytes:
    return zlib.crc32(base.to_bytes(8, "big") + body).to_bytes(4, "big")

"""Does this server honour conditional writes? Asked once at start, because a server that ignores them says nothing.

Comes in: an open bucket. Goes out: the first fault found, in words, or None.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from stream.objects.bucket import Bucket, Lost, Refused

_RACERS = 8
_WRONG_TAG = '"00000000000000000000000000000000"'
_HELD = frozenset({404, 409, 412})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in words; `is_usable`: writes are carried out all the same, so a person may overrule."""

    words: str
    is_usable: bool


async def fault_in_conditions(bucket: Bucket, folder: str) -> Fault | None:
    """Write documents below `folder`, alone and in a race, and remove them. Raises Unavailable."""
    alone, raced = (f"{folder}/{uuid.uuid4().hex}.json" for _ in range(2))
    try:
        return await _fault_alone(bucket, alone) or await _fault_in_race(bucket, raced)
    except Lost as lost:
        raise bucket.unavailable(f"no answer to the probe's writes: {lost}") from lost
    finally:
        await _remove(bucket, [alone, raced])


async def _fault_alone(bucket: Bucket, key: str) -> Fault | None:
    absent = {"IfNoneMatch": "*"}
    tag = await _put(bucket, key, b'{"probe": 1}', absent)
    if isinstance(tag, Refused):
        return Fault(f"If-None-Match is refused with {tag}", is_usable=False)
    for name, condition in (("If-None-Match", absent), ("If-Match", {"IfMatch": _WRONG_TAG})):
        answer = await _put(bucket, key, b'{"probe": 2}', condition)
        if isinstance(answer, str):
            return Fault(f"{name} is ignored", is_usable=True)
        if answer.status not in _HELD:
            return Fault(f"{name} is refused with {answer}", is_usable=False)
    swapped = await _put(bucket, key, b'{"probe": 3}', {"IfMatch": tag})
    if isinstance(swapped, Refused):
        return Fault(f"If-Match is refused with {swapped}", is_usable=False)
    return None


async def _fault_in_race(bucket: Bucket, key: str) -> Fault | None:
    """Some servers check first and write later (SeaweedFS before 4.17): right when alone, wrong in company."""
    bodies = [b'{"probe": "racer %d"}' % number for number in range(_RACERS)]
    answers = await asyncio.gather(
        *(_put(bucket, key, body, {"IfNoneMatch": "*"}) for body in bodies), return_exceptions=True
    )
    for answer in answers:
        # A racer that got no answer proves nothing: SeaweedFS may keep the losers waiting for seconds.
        if isinstance(answer, BaseException) and not isinstance(answer, (Refused, Lost)):
            raise answer
    winners = sum(isinstance(answer, str) for answer in answers)
    if winners > 1:
        return Fault(f"{winners} of {_RACERS} racing creates were acknowledged", is_usable=True)
    return None


async def _put(bucket: Bucket, key: str, body: bytes, condition: Mapping[str, str]) -> str | Refused:
    try:
        async with bucket.client(bucket.options.timeout_seconds) as client:
            answer = await client.put_object(Bucket=bucket.name, Key=key, Body=body, **condition)
    except Refused as refused:
        return refused
    tag: str = answer["ETag"]
    return tag


async def _remove(bucket: Bucket, keys: list[str]) -> None:
    for key in keys:
        try:
            async with bucket.client(bucket.options.timeout_seconds) as client:
                await client.delete_object(Bucket=bucket.name, Key=key)
        except Exception as error:  # noqa: BLE001 - a leftover of 20 bytes must not hide what the probe found
            _log.info("probe-left-behind", key=key, error=str(error))

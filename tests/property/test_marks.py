"""Commit metadata under fuzzing: what is written is read back, and nothing else is ever taken for finished."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.runtime.marks import (
    BODY_LIMIT_BYTES,
    MAX_TEXT_BYTES,
    Range,
    UnreadableMarks,
    decode,
    encode,
    varint,
)

BASES = st.integers(0, 2**62)
STEPS = st.lists(st.tuples(st.integers(0, 2**40), st.integers(1, 2**40)), max_size=60)


def ranges_from(base: int, steps: list[tuple[int, int]]) -> list[Range]:
    ranges = []
    previous = base
    for distance, length in steps:
        ranges.append((previous + distance, previous + distance + length))
        previous += distance + length
    return ranges


@given(BASES, STEPS)
def test_what_is_written_is_read_back(base: int, steps: list[tuple[int, int]]) -> None:
    ranges = ranges_from(base, steps)
    assert decode(base, encode(base, ranges)) == ranges


def test_nothing_finished_is_empty_text() -> None:
    assert encode(7, []) == ""
    assert decode(7, "") == []


def test_a_body_at_the_limit_still_fits_kafkas_default() -> None:
    """Two bytes for each pair: as many single finished offsets between open ones as the body may hold."""
    pairs = BODY_LIMIT_BYTES // 2
    text = encode(0, ranges_from(0, [(1, 1)] * pairs))
    assert MAX_TEXT_BYTES - 8 < len(text) <= MAX_TEXT_BYTES
    assert len(decode(0, text)) == pairs


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_a_sum_never_needs_more_bytes_than_its_summands(one: int, other: int) -> None:
    """The lane's bound rests on it."""
    assert len(varint(one + other)) <= len(varint(one)) + len(varint(other))


@given(BASES, st.text(max_size=200))
def test_any_text_is_nothing_or_unreadable(base: int, text: str) -> None:
    if text:
        with pytest.raises(UnreadableMarks):
            decode(base, text)


@given(BASES, st.binary(max_size=80))
def test_any_bytes_in_our_dress_are_unreadable(base: int, blob: bytes) -> None:
    with pytest.raises(UnreadableMarks):
        decode(base, "1:" + base64.urlsafe_b64encode(blob).decode())


@given(BASES, st.binary(max_size=80))
def test_a_body_with_a_fitting_checksum_still_cannot_crash_the_reader(base: int, body: bytes) -> None:
    """Somebody else's writer may have our checksum and its own idea of a body."""
    from zlib import crc32  # noqa: PLC0415 - said here, where it is forged

    checksum = crc32(base.to_bytes(8, "big") + body).to_bytes(4, "big")
    text = "1:" + base64.urlsafe_b64encode(checksum + body).decode()
    try:
        ranges = decode(base, text)
    except UnreadableMarks:
        return
    edges = [edge for pair in ranges for edge in pair]
    assert edges == sorted(edges)
    assert all(start < end for start, end in ranges)
    assert decode(base, encode(base, ranges)) == ranges


@given(BASES, STEPS.filter(bool), st.integers(1, 2**32))
def test_marks_of_another_offset_are_unreadable(base: int, steps: list[tuple[int, int]], shift: int) -> None:
    """Somebody moved the group's offset by hand and the old text stayed."""
    with pytest.raises(UnreadableMarks):
        decode(base + shift, encode(base, ranges_from(base, steps)))


@given(BASES, STEPS.filter(bool), st.data())
def test_damaged_text_is_unreadable_or_says_the_same(
    base: int, steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    ranges = ranges_from(base, steps)
    text = encode(base, ranges)
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters())
    cut = data.draw(st.booleans())
    damaged = text[:position] if cut else text[:position] + letter + text[position + 1 :]
    try:
        found = decode(base, damaged)
    except UnreadableMarks:
        return
    assert found == ([] if damaged == "" else ranges)


@pytest.mark.parametrize("ranges", [[(4, 6)], [(6, 6)], [(6, 9), (8, 10)], [(9, 7)]])
def test_ranges_below_the_base_empty_or_out_of_order_are_refused(ranges: list[Range]) -> None:
    with pytest.raises(ValueError, match="range"):
        encode(5, ranges)

"""Notes of retry records: read back as written, bounded whatever went through them, and never a foreign exception."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stream.core.errors import Rejected
from stream.events import Origin, Priority
from stream.retries import (
    MAX_CAUSE_BYTES,
    MAX_HISTORY,
    MAX_HISTORY_BYTES,
    MAX_NOTE_BYTES,
    Attempt,
    Headers,
    RetryNote,
    decode_history,
    encode_history,
    lengthened,
    read_note,
    stage_named,
)

KAFKA_SPENDS_BYTES = 10
TIMES = st.integers(0, 2**62)
NAMES = st.text(st.sampled_from("abc.-_é🧢"), min_size=1, max_size=60)
ATTEMPTS = st.builds(Attempt, TIMES, st.text(max_size=60), st.text(max_size=900))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Attempt, ...]:
    history: tuple[Attempt, ...] = ()
    for attempt in draw(st.lists(ATTEMPTS, max_size=MAX_HISTORY + 3)):
        history = lengthened(history, attempt)
    return history


NOTES = st.builds(
    RetryNote,
    stage=NAMES,
    due_ms=TIMES,
    origin=st.builds(Origin, topic=NAMES, partition=TIMES, offset=TIMES, index=TIMES),
    timestamp_ms=st.integers(-1, 2**62),
    priority=st.sampled_from(Priority),
    replay=st.integers(0, 2**31 - 1),
    attempts=st.integers(0, 2**31 - 1),
    postponed=st.integers(0, 2**31 - 1),
    history=histories(),
    buy_again=st.none() | NAMES,
)
HOSTILE = st.lists(
    st.tuples(
        st.sampled_from([name for name, _ in RetryNote("s", 0, Origin(topic="t", partition=0, offset=0), 0,
                                                       Priority.LIVE, buy_again="c").headers()]) | st.text(),
        st.none() | st.binary(max_size=40) | st.integers().map(lambda n: str(n).encode()),
    )
)  # fmt: skip


@given(NOTES)
def test_a_note_is_read_back_as_it_was_written_and_fits(note: RetryNote) -> None:
    headers = note.headers()
    read = read_note(headers)
    assert stage_named(headers) == note.stage
    assert replace(read, history=note.history) == note
    assert read.history == decode_history(encode_history(note.history))
    size = sum(len(name.encode()) + len(value or b"") + KAFKA_SPENDS_BYTES for name, value in headers)
    assert size <= MAX_NOTE_BYTES


@given(histories())
def test_a_history_is_bounded_and_keeps_its_first_and_its_latest_tries(history: tuple[Attempt, ...]) -> None:
    text = encode_history(history)
    back = decode_history(text)
    assert len(text.encode()) <= MAX_HISTORY_BYTES
    assert len(back) <= len(history) <= MAX_HISTORY
    if history:
        assert back[0] == history[0]
    if len(back) > 1:
        assert back[1:] == history[len(history) - len(back) + 1 :]
    assert all(len(each.cause.encode()) <= MAX_CAUSE_BYTES for each in back)


@given(NOTES, HOSTILE)
def test_foreign_headers_are_a_note_or_a_refusal(note: RetryNote, hostile: list[tuple[str, bytes | None]]) -> None:
    headers: Headers = (*note.headers(), *hostile)
    try:
        again = read_note(headers)
    except Rejected:
        return
    assert sum(len(name) + len(value or b"") for name, value in again.headers()) <= MAX_NOTE_BYTES

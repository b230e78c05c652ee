"""A letter is whatever somebody wrote: reading one never raises, and what is told of it has bounds."""

from hypothesis import given
from hypothesis import strategies as st

from stream.broker.port import InRecord
from stream.letters.dialects import read_letter
from tests.unit.letters.test_dialects import assert_bounded

WORDS = [
    "reason", "error", "stage", "attempts", "replay", "origin.topic", "origin.partition", "origin.offset",
    "origin.index", "origin.timestamp", "history", "credits", "credits-in-doubt", "job-ids", "fingerprint",
]  # fmt: skip
NAMES = st.sampled_from([
    *(f"skustream.{word}" for word in WORDS),
    *(f"__connect.errors.{word}" for word in ("topic", "partition", "offset", "stage", "exception.class.name")),
    *(f"kafka_dlt-original-{word}" for word in ("topic", "partition", "offset", "timestamp")),
    "kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn", "kafka_dlt-exception-message",
    *(f"__streams.errors.{word}" for word in ("exception", "topic", "partition", "offset")),
    *(f"dead-letter-{word}" for word in ("reason", "cause", "topic", "partition", "offset")),
])  # fmt: skip
NUMBERS = st.integers(-(2**70), 2**70).map(lambda number: str(number).encode())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sku_id", "raw", "origin", "id"]), inner)
    ),
    max_leaves=8,
)
BYTES = (
    st.binary(max_size=60) | NUMBERS | JSON.map(lambda found: repr(found).replace("'", '"').encode("utf-8", "replace"))
)
HEADERS = st.lists(st.tuples(NAMES | st.text(max_size=20), st.none() | BYTES), max_size=12).map(tuple)


@given(HEADERS, st.none() | BYTES, st.none() | st.binary(max_size=9), st.integers(-1, 2**63 - 1))
def test_reading_a_letter_never_raises(
    headers: tuple[tuple[str, bytes | None], ...], value: bytes | None, key: bytes | None, timestamp_ms: int
) -> None:
    letter = read_letter(InRecord("dead", 0, 3, key, value, timestamp_ms, headers))
    assert (letter.key, letter.value, letter.headers) == (key, value, headers)
    assert_bounded(letter)

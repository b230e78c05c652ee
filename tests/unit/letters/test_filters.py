"""Which letters are meant: every filter alone, their canonical words, times and conditions as people type them."""

from typing import Any

import jmespath
import pytest

from stream.core.errors import Misconfigured, Reason
from stream.events import Priority
from stream.letters.document import asked_document, document
from stream.letters.filters import Filters, State
from stream.letters.finding import Sieve
from stream.letters.letter import LetterId
from stream.letters.times import moment, written
from stream.letters.where import CannotTell, Where
from tests.unit.letters.posted import AT_MS, event, lying, posted

LETTER = lying(posted(event("MUG-1", image_id="side", batch_id="autumn"), attempts=3))
NOW = 1_795_867_200.0


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ({"stages": ("remove-bg",)}, {"stages": ("upscale",)}),
        ({"stages": ("upscale", "remove-bg")}, {"reasons": ("bug",)}),
        ({"reasons": ("source-missing",)}, {"skus": ("MUG",)}),
        ({"skus": ("MUG-1",)}, {"images": ("main",)}),
        ({"images": ("side",)}, {"batches": ("spring",)}),
        ({"batches": ("autumn",)}, {"priorities": (Priority.BACKFILL,)}),
        ({"priorities": (Priority.LIVE,)}, {"since_ms": AT_MS + 1}),
        ({"since_ms": AT_MS}, {"until_ms": AT_MS}),
        ({"until_ms": AT_MS + 1}, {"attempts": 4}),
        ({"attempts": 3}, {"states": (State.REPLAYED,)}),
        ({"states": (State.OPEN, State.DISCARDED)}, {"stages": ("remove-bg",), "reasons": ("bug",)}),
    ],
    ids=str,
)
def test_each_filter_alone(right: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert Filters(**right).take(LETTER, State.OPEN)
    assert not Filters(**wrong).take(LETTER, State.OPEN)


def test_equal_choices_have_equal_words() -> None:
    one = Filters(stages=("b", "a", "b"), skus=('x "y"',), since_ms=AT_MS, attempts=2, where=Where.parse("a && b"))
    other = Filters(stages=("a", "b"), skus=('x "y"',), since_ms=AT_MS, attempts=2, where=Where.parse("a && b"))
    assert str(one) == str(other)
    assert str(one) == r'stage=a,b sku="x \"y\"" since=2026-11-28T10:00:00Z attempts=>=2 where="a && b"'
    assert str(Filters()) == "all"


def test_words_of_different_choices_differ() -> None:
    choices = [
        Filters(skus=("a,b",)), Filters(skus=("a", "b")), Filters(skus=("a",)), Filters(images=("a",)),
        Filters(skus=("a stage=b",)), Filters(skus=("a",), stages=("b",)), Filters(since_ms=AT_MS),
        Filters(since_ms=AT_MS + 1), Filters(since_ms=2**62),
    ]  # fmt: skip
    assert len({str(each) for each in choices}) == len(choices)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-28T10:00:00Z", AT_MS), ("2026-11-28T11:00:00+01:00", AT_MS), ("2026-11-28 10:00", AT_MS),
        ("2h", AT_MS), ("120m", AT_MS), ("7200 s", AT_MS), ("2H", AT_MS), ("1970-01-01", 0), ("0001-01-01", 0),
        ("999999w", 0),
    ],
)  # fmt: skip
def test_moments_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert moment(text, now=NOW, option="--since") == expected


@pytest.mark.parametrize("text", ["", "soon", "2 h ago", "-2h", "1e3s", "2026-13-01", "9" * 30 + "h", "\x1b[31m"])
def test_other_moments_are_refused_in_words(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"--since: got .*; expected a time such as 2026") as refused:
        moment(text, now=NOW, option="--since")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(("time_ms", "told"), [(AT_MS, "2026-11-28T10:00:00Z"), (0, ""), (-1, ""), (2**63 - 1, "")])
def test_no_time_is_no_words(time_ms: int, told: str) -> None:
    assert written(time_ms) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("attempts > 3", "a number stands in backticks here at character 12"),
        ("a ||", "no expression at character 5"),
        ("a == 'x", "an open quote or an unknown sign at character 6"),
        ("lenght(error)", "no function 'lenght'; expected length (perhaps)"),
        ("nowhere(error)", "no function 'nowhere'; expected one of abs, "),
        ("length(error, sku_id)", r"length() got 2 arguments; expected 1"),
        ("not_null()", "not_null() got 0 arguments; expected at least 1"),
        ("", "cannot be empty"),
        ("(" * 900, "nested too deeply"),
        ("a" * 1_001, "1,001 characters; expected at most 1,000"),
    ],
)
def test_a_wrong_condition_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Where.parse(text)
    assert str(refused.value).startswith("--where: ")
    assert told in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("attempts >= `3`", True), ("contains(error, '404')", True), ("event.image_id == 'side'", True),
        ("event.attributes.season == 'autumn'", False), ("to_number(credits) > `0`", False),
        ("meaning.fault == 'sender' && state == 'open'", True), ("history[?word == 'transient']", True),
        ("headers[?name == 'skustream.stage'].value | [0] == 'remove-bg'", True), ("nothing", False),
        ("`false`", False), ("length(error)", True), ("key == 'MUG-1'", True),
    ],
)  # fmt: skip
def test_conditions_look_into_the_document(text: str, *, holds: bool) -> None:
    assert Where.parse(text).holds(document(LETTER)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "keys(@)", "*", "headers", "value", "value_kind", "value_bytes", "event", "[event, key]",
        "{a: headers, b: value}", "history[0].word", "headers[?name == 'skustream.stage'] | length(@)",
        "to_string(@)", "attempts", "sort(keys(@))", "event.attributes.* | [0]", "map(&name, headers)",
        "event && value.raw || error", "not_null(event, value)",
    ],
)  # fmt: skip
def test_what_a_condition_sees_is_what_the_whole_document_says(text: str) -> None:
    where = Where.parse(text)
    asked = asked_document(LETTER, State.OPEN, where.fields)
    assert jmespath.search(text, asked) == jmespath.search(text, document(LETTER))


def test_a_condition_over_small_fields_needs_no_headers() -> None:
    where = Where.parse("attempts > `3` && contains(error, '404')")
    assert "headers" not in asked_document(LETTER, State.OPEN, where.fields)


def test_a_letter_without_such_a_value_is_left_out_and_told() -> None:
    with pytest.raises(CannotTell, match="compares a number"):
        Where.parse("attempts > '3'").holds(document(LETTER))
    sieve = Sieve(Filters(where=Where.parse("contains(event.batch_id, 'aut')")))
    silent = lying(posted(b"no json", Reason.INVALID_EVENT), 1)
    assert [letter for letter, _ in sieve.pick([silent, LETTER])] == [LETTER]
    assert (sieve.judged, sieve.unjudged) == (1, 1)
    assert sieve.complaint.startswith("product-images.dead-letter/0/1: In function contains(), invalid type")


def test_the_sieve_knows_what_became_of_letters() -> None:
    letters = [lying(posted(), offset) for offset in range(3)]
    fates = {LetterId(letters[1].at.topic, 0, 1): State.REPLAYED}
    sieve = Sieve(Filters(states=(State.REPLAYED,)), lambda letter: fates.get(letter.at, State.OPEN))
    assert [(letter.at.offset, state) for letter, state in sieve.pick(letters)] == [(1, State.REPLAYED)]

"""The template of keys: what people write, what it finds, and that nothing makes it think for long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.notifications.pattern import DEFAULT_PATTERN, KeyPattern


@pytest.mark.parametrize(
    ("pattern", "key", "found"),
    [
        (DEFAULT_PATTERN, "MUG-1/front.jpg", ("MUG-1", "front")),
        (DEFAULT_PATTERN, "incoming/2026/MUG-1/front.v2.jpg", ("MUG-1", "front.v2")),
        (DEFAULT_PATTERN, "front.jpg", None),
        (DEFAULT_PATTERN, "MUG-1/.jpg", None),
        (DEFAULT_PATTERN, "MUG-1/front.", None),
        (DEFAULT_PATTERN, "MUG-1//front.jpg", None),
        (DEFAULT_PATTERN, "", None),
        ("photos/{sku}.jpg", "photos/MUG-1.jpg", ("MUG-1", "main")),
        ("photos/{sku}.jpg", "photos/MUG-1.png", None),
        ("photos/{sku}.jpg", "other/photos/MUG-1.jpg", None),
        ("photos/{sku}.jpg", "photos/a/MUG-1.jpg", None),
        ("{sku}_{image}.*", "A_1_front.jpg", ("A_1", "front")),
        ("{sku}_{image}.*", "A__.jpg", ("A", "_")),
        ("*/{image}/x-{sku}-x.*", "a/side/x-MUG-x.png", ("MUG", "side")),
        ("{sku}", "MUG", ("MUG", "main")),
    ],
)
def test_what_a_pattern_finds(pattern: str, key: str, found: tuple[str, str] | None) -> None:
    assert KeyPattern.parse(pattern).match(key) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "", "{image}.jpg", "{sku}{image}", "{sku}*", "/{sku}", "{sku}/", "a//{sku}", "{sku}/{size}.jpg",
        "{sku}/{sku}.*", "**", "**/**/{sku}", "{sku}/**", "{sku}.{", "{image}/{image}/{sku}", "{sku}/\n",
        "{sku}" + "x" * 500,
    ],
)  # fmt: skip
def test_a_pattern_that_means_nothing_is_refused_with_the_way_out(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"such as \*\*/\{sku\}/\{image\}\.\*"):
        KeyPattern.parse(pattern)


LITERALS = st.text(alphabet="ab.-_", min_size=1, max_size=2)


@st.composite
def _segments(draw: st.DrawFn) -> list[str]:
    """Literals and wildcards by turns."""
    wild = draw(st.permutations(["{sku}", *draw(st.lists(st.sampled_from(["*"]), max_size=3)), "{image}"]))
    parts = [draw(st.sampled_from(["", "a", "b."]))]
    for number, name in enumerate(wild):
        parts += [name, draw(LITERALS) if number < len(wild) - 1 else draw(st.sampled_from(["", "a", ".b"]))]
    return parts


@given(_segments(), st.text(alphabet="ab.-_", max_size=24))
def test_it_fits_exactly_where_a_regular_expression_would(parts: list[str], key: str) -> None:
    """Greedy and without going back; the oracle goes back as often as it likes."""
    named = {"{sku}": "(?P<sku>.+)", "{image}": "(?P<image>.+)", "*": ".+"}
    oracle = re.fullmatch("".join(named.get(part, re.escape(part)) for part in parts), key)
    found = KeyPattern.parse("".join(parts)).match(key)
    assert found == (None if oracle is None else (oracle["sku"], oracle["image"]))


def test_no_pattern_and_no_key_make_it_think_for_long() -> None:
    """Where a regular expression would try a million million ways: the work is counted, not the time."""
    pattern = KeyPattern.parse("{sku}" + "a*" * 200 + "b{image}")
    assert pattern.match("a" * 4096) is None
    assert pattern.match("a" * 4000 + "bc") is not None

"""The price books: what each source says and no more, and files of one's own with their mistakes named."""

from decimal import Decimal
from pathlib import Path

import pytest

from stream.core.errors import Misconfigured
from stream.operations import OPERATIONS
from stream.prices import DEFAULT_BOOK, PriceBook, load_prices, shipped_books


def written(folder: Path, text: str) -> PriceBook:
    path = folder / "prices.yaml"
    path.write_text(text)
    return load_prices(str(path))


@pytest.mark.parametrize(
    ("name", "remove", "replace", "upscale"), [("article", 10, 10, 50), ("docs", 2, 5, 20), ("may-2026", 10, 75, 60)]
)
def test_the_shipped_books_say_what_their_sources_say(name: str, remove: int, replace: int, upscale: int) -> None:
    assert load_prices(name).credits == {"remove-bg": remove, "replace-bg": replace, "upscale": upscale}


def test_figures_that_no_source_tells_are_absent_and_told_so() -> None:
    for book in shipped_books().values():
        assert book.source
        assert book.plan("free").credits is None
        assert any("free plan" in line for line in book.notes)
        missing = {card.name for card in OPERATIONS.values() if not card.local} - book.credits.keys()
        assert all(any(operation in line for line in book.notes) for operation in missing)
    assert load_prices("may-2026").plan("scale").requests_per_minute is None
    assert load_prices(DEFAULT_BOOK).plan("SCALE").credits == 300_000


def test_a_file_of_ones_own_keeps_its_decimals(tmp_path: Path) -> None:
    book = written(tmp_path, "credits: {remove-bg: 0.1, upscale: '2.5', add-shadow: 3}\nplans: {own: {dollars: 9.99}}")
    assert book.credits == {"remove-bg": Decimal("0.1"), "upscale": Decimal("2.5"), "add-shadow": Decimal(3)}
    assert (book.plan("own").dollars, book.plan("own").requests_per_minute) == (Decimal("9.99"), None)
    assert "prices.yaml" in book.source


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("credits: {remove-bg: -1}", "credits.remove-bg: wrong value, expected greater than or equal to 0"),
        ("credits: {remove-bg: .nan}", "credits.remove-bg"),
        ("credits: {remove-bg: true}", "credits.remove-bg"),
        ("credits: {remove-bg: dear}", "credits.remove-bg"),
        ("credits: {}", "credits"),
        ("plans: {}", "credits: missing"),
        ("credits: {upscale: 1}\nplans: {own: {dolars: 1}}", "dollars (perhaps)"),
        ("credits: {upscale: 1}\nplans: {own: {requests_per_minute: 0}}", "requests_per_minute"),
        ("- 1", "not an object"),
        ("", "not an object"),
        ("a: b: c", "is not YAML"),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        written(tmp_path, text)
    assert "prices.yaml" in str(wrong.value)
    assert complaint in str(wrong.value)


def test_names_that_nobody_knows_come_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"^SKUSTREAM_PRICES=artcle: neither .* did you mean article\?"):
        load_prices("artcle")
    with pytest.raises(Misconfigured, match=r"shipped are article, docs, may-2026"):
        load_prices("/nowhere/at-all.yaml")
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_prices(str(tmp_path))
    with pytest.raises(Misconfigured, match=r"did you mean scale\?"):
        load_prices("article").plan("scal")
    with pytest.raises(Misconfigured, match="no plans"):
        written(tmp_path, "credits: {upscale: 1}").plan("scale")

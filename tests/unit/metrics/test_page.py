"""docs/metrics.md is the catalogue's, whole and of today."""

from pathlib import Path

from stream.metrics.catalogue import CATALOGUE
from stream.metrics.page import page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_the_catalogue_of_today() -> None:
    assert PAGE.read_text() == page(), "python -m stream.metrics.page docs/metrics.md"


def test_no_cell_breaks_the_table() -> None:
    for metric in CATALOGUE:
        assert "|" not in metric.help + metric.meaning
        assert "\n" not in metric.help + metric.meaning

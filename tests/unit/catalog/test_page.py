"""The examples on the page about catalogs are read by the real reader."""

import re
from pathlib import Path

import pytest

from tests.unit.catalog.conftest import Read

PAGE = Path(__file__).parents[3] / "docs" / "catalogs.md"


@pytest.mark.parametrize(("name", "rows"), [("catalog.csv", 3), ("catalog.jsonl", 2)])
def test_the_catalogs_shown_are_good(name: str, rows: int, read: Read) -> None:
    (content,) = re.findall(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    catalog = read(content, name)
    assert (len(catalog.rows), list(catalog.complaints), list(catalog.duplicates)) == (rows, [], [])

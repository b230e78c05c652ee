"""What a submit says when it is done."""

import shlex

import pytest

from stream.broker.publishing import Published
from stream.catalog.rows import Catalog, Row
from stream.cli.receipts import Receipt, tell

ROWS = [Row(2, "A", "main", b"{}")]


def told(batch_id: str, published: Published, capsys: pytest.CaptureFixture[str]) -> list[str]:
    read = Catalog(rows=ROWS, complaints=[], duplicates=[])
    tell(Receipt(batch_id, "raw", "live", read, ROWS, published), as_json=False)
    return capsys.readouterr().out.splitlines()


def test_the_command_that_follows_a_batch_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    name = "spring sale; rm -rf $HOME 'x'"
    last = told(name, Published(acknowledged=1), capsys)[-1]
    assert shlex.split(last.removeprefix("follow it: ")) == ["skustream", "status", "--batch", name, "--watch"]


def test_where_nothing_was_sent_nothing_is_to_be_followed(capsys: pytest.CaptureFixture[str]) -> None:
    assert told("spring", Published(interrupted=True), capsys) == ["0 of 1 rows sent to raw as batch spring"]

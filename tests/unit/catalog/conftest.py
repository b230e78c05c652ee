"""Catalogs from bytes, as a person's file would hold them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stream.catalog.reading import read_catalog
from stream.catalog.rows import Catalog
from stream.pipeline import default_pipeline

Read = Callable[..., Catalog]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(content, name="catalog.csv", batch_id="spring")`."""

    def write_and_read(content: bytes | str, name: str = "catalog.csv", batch_id: str | None = "spring") -> Catalog:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_catalog(path, pipeline=default_pipeline(), batch_id=batch_id)

    return write_and_read

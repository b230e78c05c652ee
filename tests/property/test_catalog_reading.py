"""The reader takes any bytes without a crash, and gives every event back as it was written."""

import csv
import io
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.catalog.reading import Kind, read_catalog
from stream.catalog.rows import Catalog
from stream.core.errors import Rejected
from stream.events import RawEvent, read_raw
from stream.pipeline import default_pipeline

PIPELINE = default_pipeline()
HEADER = b"sku_id,raw_url,sequence,stages,params.upscale.scale,attributes.note\n"


def read(content: bytes, kind: Kind, batch_id: str | None = None) -> Catalog:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        return read_catalog(Path(file.name), pipeline=PIPELINE, batch_id=batch_id, kind=kind)


def identifiers() -> st.SearchStrategy[str]:
    text = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
    return text.filter(lambda name: name.isprintable() and name == name.strip())


def jsons() -> st.SearchStrategy[Any]:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
    )


def tables() -> st.SearchStrategy[dict[str, Any]]:
    """Events that a table can hold: attributes are text there."""
    cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
    return events(
        attributes=st.just({}) | st.fixed_dictionaries({"note": cells.filter(lambda cell: cell == cell.strip() != "")})
    )


def events(attributes: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"sku_id": identifiers(), "raw_url": st.sampled_from(["https://x.example.com/ü.jpg?a=1,2;3", "s3://bucket/key"])},
        optional={
            "image_id": identifiers(),
            "event_id": identifiers(),
            "version": identifiers(),
            "sequence": st.integers(0, 2**63 - 1),
            "occurred_at": st.datetimes(max_value=datetime(2026, 11, 1), timezones=st.timezones())  # noqa: DTZ001 - zones are drawn
            .map(lambda time: time.isoformat()),
            "stages": st.just(["remove-bg", "upscale"]),
            "params": st.just({"upscale": {"scale": 2}}),
            "attributes": attributes,
        },
    )  # fmt: skip


def is_accepted(event: dict[str, Any]) -> bool:
    try:
        PIPELINE.route(read_raw(json.dumps(event).encode()))
    except Rejected:
        return False
    return True


def cells_of(event: dict[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in event.items() if name not in {"params", "attributes", "stages"}}
    if "stages" in event:
        flat["stages"] = ";".join(event["stages"])
    if "params" in event:
        flat["params.upscale.scale"] = "2"
    return flat | {f"attributes.{name}": text for name, text in event.get("attributes", {}).items()}


def bare(event: RawEvent) -> dict[str, Any]:
    return event.model_dump(exclude_defaults=True)


@given(content=st.binary(max_size=400), begun=st.sampled_from([b"", HEADER, b"{", b'sku_id,raw_url\n"']))
def test_any_bytes_give_rows_or_complaints_that_name_lines_of_the_file(content: bytes, begun: bytes) -> None:
    lines = len((begun + content).replace(b"\r", b"\n").split(b"\n")) + 1
    kinds: tuple[Kind, ...] = ("csv", "jsonl", "auto")
    for kind in kinds:
        catalog = read(begun + content, kind, batch_id="spring")
        assert catalog.rows or catalog.complaints
        numbers = [row.line for row in catalog.rows] + [complaint.line for complaint in catalog.complaints]
        assert all(1 <= number <= lines for number in numbers)
        assert all(str(each).isprintable() or "not JSON" in str(each) for each in catalog.complaints)


@given(text=st.text(st.sampled_from('ab,;"\n\r \t#é\0\ud800'), max_size=80))
def test_any_quoting_gives_rows_or_complaints(text: str) -> None:
    catalog = read(HEADER + text.encode(errors="surrogatepass"), "csv")
    assert catalog.complaints


@given(
    event=events(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), jsons(), max_size=3))
)
def test_json_lines_are_published_as_the_events_they_are(event: dict[str, Any]) -> None:
    for ascii_only in (True, False):
        catalog = read(json.dumps(event, ensure_ascii=ascii_only).encode(), "jsonl")
        assert bool(catalog.rows) == is_accepted(event)
        for row in catalog.rows:
            assert bare(row.event) == bare(read_raw(json.dumps(event).encode()))
            assert row.event.content_hash() == read_raw(json.dumps(event).encode()).content_hash()


@given(event=tables(), delimiter=st.sampled_from(",;\t"))
def test_tables_are_published_as_the_events_they_mean(event: dict[str, Any], delimiter: str) -> None:
    out = io.StringIO(newline="")
    cells = cells_of(event)
    writer = csv.DictWriter(out, list(cells), delimiter=delimiter)
    writer.writeheader()
    writer.writerow(cells)
    catalog = read(out.getvalue().encode(), "csv")
    assert bool(catalog.rows) == is_accepted(event), catalog.complaints
    for row in catalog.rows:
        assert bare(row.event) == bare(read_raw(json.dumps(event).encode()))

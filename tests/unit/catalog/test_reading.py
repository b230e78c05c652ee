"""The reader: what a person's file means, and what is said about everything that is wrong with it."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from stream.catalog import rows as limits
from stream.catalog.reading import read_catalog
from stream.catalog.rows import Catalog, Duplicate
from stream.core.errors import Misconfigured
from stream.pipeline import default_pipeline
from tests.unit.catalog.conftest import Read

URL = "https://photos.example.com/a.jpg"
SMALL = f"sku_id,raw_url\nA,{URL}\n"


def told(catalog: Catalog) -> list[str]:
    assert catalog.rows == () or all(row.line for row in catalog.rows)
    return [str(complaint) for complaint in catalog.complaints]


def events(catalog: Catalog) -> list[dict[str, Any]]:
    assert told(catalog) == []
    return [json.loads(row.value) for row in catalog.rows]


class TestCsv:
    def test_a_row_is_published_with_what_it_gives_and_the_batch_and_nothing_else(self, read: Read) -> None:
        catalog = read(SMALL)
        assert [(row.line, row.image, row.value) for row in catalog.rows] == [
            (2, ("A", "main"), b'{"sku_id":"A","raw_url":"https://photos.example.com/a.jpg","batch_id":"spring"}')
        ]

    def test_every_column_reaches_its_field_with_its_type(self, read: Read) -> None:
        header = (
            "id,raw_url,event_id,image_id,version,sequence,occurred_at,batch_id,stages,params.upscale.scale,"
            "params.lifestyle.prompt,params.thumbnails.widths,params.thumbnails.formats,attributes.season,attributes.a.b"
        )
        row = (
            f"A,{URL},e1,side,7,12,2026-11-22T10:00:00Z,spring,remove-bg;upscale;thumbnails,2,2026,800;400,jpeg,"
            "autumn,3"
        )
        assert events(read(f"{header}\n{row}\n")) == [
            {
                "sku_id": "A", "raw_url": URL, "event_id": "e1", "image_id": "side", "version": "7", "sequence": 12,
                "occurred_at": "2026-11-22T10:00:00+00:00", "batch_id": "spring",
                "stages": ["remove-bg", "upscale", "thumbnails"],
                "params": {
                    "upscale": {"scale": 2}, "lifestyle": {"prompt": "2026"},
                    "thumbnails": {"widths": [800, 400], "formats": ["jpeg"]},
                },
                "attributes": {"season": "autumn", "a.b": "3"},
            }
        ]  # fmt: skip

    def test_a_single_width_is_a_list_of_one(self, read: Read) -> None:
        (event,) = events(read(f"sku_id,raw_url,params.thumbnails.widths\nA,{URL},800\n"))
        assert event["params"] == {"thumbnails": {"widths": [800]}}

    def test_an_empty_cell_and_a_missing_one_are_not_given(self, read: Read) -> None:
        catalog = read(f"sku_id,raw_url,image_id,sequence,params.upscale.scale\nA,{URL},,,\nB,{URL}\n")
        assert events(catalog) == [{"sku_id": sku, "raw_url": URL, "batch_id": "spring"} for sku in "AB"]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
    def test_delimiters_line_endings_and_a_byte_order_mark_are_understood(
        self, delimiter: str, newline: str, mark: bytes, read: Read
    ) -> None:
        text = SMALL.replace(",", delimiter).replace("\n", newline)
        assert [row.sku_id for row in read(mark + text.encode()).rows] == ["A"]

    def test_a_row_with_quoted_newlines_is_numbered_by_its_beginning(self, read: Read) -> None:
        text = f'sku_id,raw_url,attributes.note\nA,{URL},"two\nlines, ""quoted"""\n\nB,ftp://x/y,\n'
        catalog = read(text)
        assert json.loads(catalog.rows[0].value)["attributes"] == {"note": 'two\nlines, "quoted"'}
        assert [row.line for row in catalog.rows] == [2]
        assert [complaint.line for complaint in catalog.complaints] == [5]

    @pytest.mark.parametrize(
        ("header", "complaint"),
        [
            (
                "A,https://x/y",
                "line 1: no header: no cell of this line is the name of a column; expected e.g. sku_id,raw_url",
            ),
            ("sku_id,raw_ulr", "line 1: raw_ulr: unknown column; expected raw_url (perhaps)"),
            ("sku_id", "line 1: raw_url: the column is missing"),
            ("sku_id,raw_url,sku_id", "line 1: sku_id: sku_id: the column is there twice"),
            ("sku_id,raw_url,id", "line 1: id and sku_id: the column is there twice"),
            ("sku_id,raw_url,", "line 1: (empty): unknown column; expected one of sku_id,"),
            (
                "sku_id,raw_url,params.upscal.scale",
                "params.upscal.scale: unknown column; expected params.upscale.scale",
            ),
            (
                "sku_id,raw_url,params.upscale.scal",
                "params.upscale.scal: unknown column; expected params.upscale.scale",
            ),
            ("sku_id,raw_url,params.zzz.scale", "expected a stage: remove-bg, upscale, lifestyle, thumbnails"),
            ("sku_id,raw_url,params.remove-bg.x", "unknown column; expected no parameters of remove-bg"),
            ("sku_id,raw_url,params", "params: unknown column; expected params.<stage>.<name> (perhaps)"),
            ("sku_id,raw_url,attributes.", "unknown column; expected attributes.<name> (perhaps)"),
        ],
    )
    def test_a_wrong_header_is_told_and_nothing_is_read_by_it(self, header: str, complaint: str, read: Read) -> None:
        catalog = read(f"{header}\nA,{URL},x\n")
        assert catalog.rows == []
        assert any(complaint.removeprefix("line 1: sku_id: ") in line for line in told(catalog)), told(catalog)
        assert {each.line for each in catalog.complaints} == {1}

    def test_all_wrong_rows_are_told_and_the_others_are_there(self, read: Read) -> None:
        catalog = read(
            "sku_id,raw_url,sequence,stages,params.upscale.scale\n"
            f",{URL},,,\n"
            "B,ftp://x/y,,,\n"
            f"C,{URL},first,,\n"
            f"D,{URL},,upscal,\n"
            f"E,{URL},,,3\n"
            f"F,{URL},,,,,too many\n"
            f"G,{URL},,,\n"
        )
        assert [row.sku_id for row in catalog.rows] == ["G"]
        assert [(each.line, each.field) for each in catalog.complaints] == [
            (2, "sku_id"), (3, "raw_url"), (4, "sequence"), (5, "stages"), (6, "params.upscale.scale"), (7, None),
        ]  # fmt: skip
        assert told(catalog)[4] == (
            "line 6: params.upscale.scale: wrong value; got 3; expected 2 or 4; "
            "upscale takes scale, skip_if_longest_side"
        )

    def test_a_quote_that_never_closes_is_told_where_it_opens(self, read: Read) -> None:
        catalog = read(f'{SMALL}B,"{URL}\nC,{URL}\n')
        assert [row.sku_id for row in catalog.rows] == ["A"]
        assert told(catalog) == [
            "line 3: a quoted cell that begins in this row does not end; the rows it swallowed were not checked"
        ]

    def test_a_quote_out_of_place_is_told(self, read: Read) -> None:
        assert told(read(f'{SMALL}"B"x,{URL}\n'))[0].startswith("line 3: not CSV: ")


class TestJsonLines:
    def test_events_as_the_page_shows_them_are_taken(self, read: Read) -> None:
        event = {"id": "A", "raw_url": URL, "params": {"upscale": {"scale": 2}}, "attributes": {"n": [1, {"m": None}]}}
        catalog = read(f"{json.dumps(event)}\n\n{json.dumps({**event, 'id': 'B', 'sequence': None})}", "c.jsonl")
        expected = {"sku_id": "A", "raw_url": URL, "batch_id": "spring"} | {
            k: event[k] for k in ("params", "attributes")
        }
        assert events(catalog) == [expected, {**expected, "sku_id": "B"}]
        assert [row.line for row in catalog.rows] == [1, 3]

    def test_faults_are_told_in_the_words_of_a_letter(self, read: Read) -> None:
        catalog = read(f'{{"sku_id": "A"}}\n{{\n{{"sku_id": "A", "raw_url": "{URL}", "colour": 1}}\n', "c.jsonl")
        assert [(each.line, each.field) for each in catalog.complaints] == [(1, "raw_url"), (2, None), (3, "colour")]
        assert told(catalog)[0] == "line 1: raw_url: missing; expected a value"

    def test_an_array_is_told_with_the_way_out(self, read: Read) -> None:
        assert "jq -c '.[]'" in told(read("[{}]", "c.json"))[0]

    def test_numbers_that_json_does_not_have_are_refused(self, read: Read) -> None:
        catalog = read(f'{{"sku_id": "A", "raw_url": "{URL}", "attributes": {{"x": NaN, "y": 1e999}}}}\n', "c.jsonl")
        assert catalog.rows == []
        assert len(catalog.complaints) == 1

    def test_numbers_beyond_64_bits_survive(self, read: Read) -> None:
        catalog = read(f'{{"sku_id": "A", "raw_url": "{URL}", "attributes": {{"x": {2**80}}}}}\n', "c.jsonl")
        assert events(catalog)[0]["attributes"] == {"x": 2**80}


class TestAnyFile:
    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"", "line 1: the file is empty"),
            (b"\n \n", "line 1: the file is empty"),
            (b"sku_id,raw_url\n", "line 1: no rows below the header"),
            (SMALL.encode("utf-16"), "line 1: this is UTF-16 text"),
            (b"PK\x03\x04...", "line 1: this is a zip archive or a spreadsheet"),
            (SMALL.encode() + b"B\0,x\n", "line 3: a NUL character"),
            (SMALL.encode() + b"B\xe9,x\n", "line 3: not UTF-8 at character 2: byte 0xE9; save the file as UTF-8"),
            (b"sku_\xff,raw_url\nA,B", "line 1: not UTF-8 at character 5"),
        ],
    )
    def test_what_is_no_catalog_is_told_by_name(self, content: bytes, complaint: str, read: Read) -> None:
        assert told(read(content))[0].startswith(complaint)

    @pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
    def test_a_line_of_5_megabytes_is_one_complaint_and_the_rest_is_read(self, name: str, read: Read) -> None:
        line = SMALL if name == "c.csv" else f'{{"sku_id": "A", "raw_url": "{URL}"}}\n'
        after = f"B,{URL}\n" if name == "c.csv" else line.replace('"A"', '"B"')
        catalog = read(f"{line}{'x' * 5_000_000}\n{after}", name)
        assert [row.sku_id for row in catalog.rows] == ["A", "B"]
        assert [each.message for each in catalog.complaints] == ["longer than 1,000,000 characters"]

    def test_a_row_of_many_lines_is_bounded_too(self, read: Read) -> None:
        cell = '"' + "x\n" * 50_000 + '",'
        catalog = read(f"{SMALL}B,{cell * 15}\nC,{URL}\n")
        assert (catalog.complaints[0].line, "more than 1,000,000 characters" in catalog.complaints[0].message) == (
            3,
            True,
        )

    def test_the_batch_of_a_row_may_not_be_another_one(self, read: Read) -> None:
        catalog = read(f"sku_id,raw_url,batch_id\nA,{URL},autumn\nB,{URL},spring\nC,{URL},\n")
        assert told(catalog) == ["line 2: batch_id: another batch; got 'autumn'; expected 'spring', or none"]
        assert [row.event.batch_id for row in catalog.rows] == ["spring", "spring"]

    def test_without_a_batch_rows_keep_their_own(self, read: Read) -> None:
        catalog = read(f"sku_id,raw_url,batch_id\nA,{URL},autumn\nB,{URL},\n", batch_id=None)
        assert [row.event.batch_id for row in catalog.rows] == ["autumn", None]

    def test_secrets_of_urls_are_in_no_complaint(self, read: Read) -> None:
        signed = "https://user:hidden@x.example.com/a.jpg?X-Amz-Signature=SECRET"
        listed = json.dumps({"sku_id": "A", "raw_url": [signed], "sequence": {"x": signed}})
        lines = told(read(f"sku_id,raw_url,sequence\nA,{signed},\nB,{URL},{signed}\n"))
        lines += told(read(listed, "c.jsonl"))
        assert len(lines) == 3
        assert not any("SECRET" in line or "hidden" in line for line in lines), lines

    def test_stdin_is_read_by_its_content(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for content in (SMALL, f'{{"sku_id": "A", "raw_url": "{URL}"}}'):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode()))))
            catalog = read_catalog(None, pipeline=default_pipeline(), batch_id=None)
            assert [row.sku_id for row in catalog.rows] == ["A"]

    def test_a_file_that_is_not_there_is_a_misconfiguration(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none.csv", tmp_path):
            with pytest.raises(Misconfigured, match="cannot be read"):
                read_catalog(path, pipeline=default_pipeline(), batch_id=None)

    def test_reading_stops_at_its_limits_and_says_so(self, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
        many = SMALL + "".join(f"S{number},{URL}\n" for number in range(20))
        monkeypatch.setattr("stream.catalog.reading.MAX_ROWS", 5)
        assert told(read(many)) == ["line 7: more than 5 rows: nothing was read beyond this line; split the file"]
        monkeypatch.setattr("stream.catalog.reading.MAX_ROWS", limits.MAX_ROWS)
        monkeypatch.setattr("stream.catalog.reading.MAX_COMPLAINTS", 5)
        assert len(told(read(many.replace("https", "ftp")))) == 6

    def test_progress_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "c.csv"
        path.write_text("sku_id,raw_url\n" + "".join(f"S{number},{URL}\n" for number in range(1_200)))
        seen: list[int] = []
        read_catalog(path, pipeline=default_pipeline(), batch_id=None, on_progress=seen.append)
        assert seen == [500, 1_000]


class TestTwins:
    def test_an_identical_row_is_sent_once_without_a_complaint(self, read: Read) -> None:
        catalog = read(f"{SMALL}A,{URL}\nB,{URL}\nA,{URL}\n")
        assert [row.sku_id for row in catalog.rows] == ["A", "B"]
        assert (catalog.complaints, catalog.duplicates) == ([], [Duplicate(3, 2), Duplicate(5, 2)])

    def test_another_content_for_the_same_image_names_the_earlier_line(self, read: Read) -> None:
        catalog = read(f"{SMALL}A,{URL}2\n")
        assert [row.line for row in catalog.rows] == [2]
        assert told(catalog)[0].startswith(
            "line 3: 'A' / 'main' stands in line 2 with other content; which one would win is luck"
        )

    @pytest.mark.parametrize(
        ("column", "one", "two"),
        [
            ("sequence", "1", "2"),
            ("occurred_at", "2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z"),
            ("image_id", "a", "b"),
        ],
    )
    def test_an_order_of_their_own_or_another_image_parts_them(
        self, column: str, one: str, two: str, read: Read
    ) -> None:
        assert len(events(read(f"sku_id,raw_url,{column}\nA,{URL},{one}\nA,{URL}2,{two}\n"))) == 2

    def test_the_same_place_with_other_content_is_a_conflict(self, read: Read) -> None:
        assert told(read(f"sku_id,raw_url,sequence\nA,{URL},1\nA,{URL}2,1\n"))[0].startswith("line 3: 'A' / 'main'")

    def test_two_kinds_of_order_for_one_image_are_told_before_they_become_a_letter(self, read: Read) -> None:
        catalog = read(f"sku_id,raw_url,sequence\nA,{URL},1\nA,{URL},\n")
        (complaint,) = told(catalog)
        assert complaint == (
            "line 3: 'A' / 'main' is ordered by offset here, but by sequence in line 2; "
            "expected sequence in both, or another image_id"
        )

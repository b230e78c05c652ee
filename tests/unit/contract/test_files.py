"""The committed contract is what the code says today, its examples keep it, and so do real records."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from stream.cli.main import app
from stream.contract import files, schemas, words
from stream.core.errors import Misconfigured
from stream.events import Origin, RawEvent, read_raw
from stream.operations import OPERATIONS
from stream.pipeline import default_pipeline, read_pipeline
from stream.records import Asset, Terminal, dump
from stream.replays.marks import Fate, Mark
from stream.topics import Topics
from tests.unit.test_docs import letter_headers

COMMITTED = Path(__file__).parents[3] / "docs/contract"
AGAIN = "run: .venv/bin/skustream contract --out docs/contract, and look at what changed for the PIM"
CONTENTS = files.contents(default_pipeline(), Topics())
DOCUMENT: dict[str, Any] = yaml.safe_load(CONTENTS[files.ASYNCAPI_FILE])


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def part(name: str) -> Draft202012Validator:
    """A schema of the AsyncAPI document, whose references point into the document."""
    return validator({**DOCUMENT, "$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize("name", CONTENTS)
def test_the_committed_files_are_what_the_code_says(name: str) -> None:
    assert (COMMITTED / name).read_text() == CONTENTS[name], AGAIN
    assert {path.name for path in COMMITTED.iterdir()} == set(CONTENTS)


@pytest.mark.parametrize("name", [name for name in CONTENTS if name.endswith(".json")])
def test_every_schema_is_one(name: str) -> None:
    validator(json.loads(CONTENTS[name]))


def test_every_field_is_described_and_no_other() -> None:
    assert words.RAW_EVENT.keys() - {"id"} == RawEvent.model_fields.keys()
    assert words.COMPLETED.keys() == Terminal.model_fields.keys()
    assert words.ASSET.keys() == Asset.model_fields.keys()
    assert words.ORIGIN.keys() == Origin.model_fields.keys()
    assert words.MARK.keys() == Mark.model_fields.keys()


def test_the_headers_told_are_the_headers_written() -> None:
    told = words.LETTER_ALWAYS.keys() | words.LETTER_SOMETIMES.keys() | words.LETTER_ELSEWHERE.keys()
    assert told == letter_headers()
    assert words.LETTER_ELSEWHERE.keys() >= words.LETTER_BINARY
    assert words.LETTER_ALWAYS.keys() >= words.LETTER_NUMBERS


def test_the_examples_keep_their_schemas_and_are_read_by_the_models() -> None:
    messages = DOCUMENT["components"]["messages"]
    for example in messages["rawImageEvent"]["examples"]:
        part("rawImageEvent").validate(example["payload"])
        default_pipeline().route(read_raw(json.dumps(example["payload"]).encode()))
    for example in messages["completed"]["examples"]:
        part("completed").validate(example["payload"])
        Terminal.model_validate_json(json.dumps(example["payload"]))
    assert {each["payload"]["status"] for each in messages["completed"]["examples"]} == {"completed", "superseded"}
    (letter,) = messages["letter"]["examples"]
    part("letterHeaders").validate(letter["headers"])
    assert words.LETTER_ALWAYS.keys() <= letter["headers"].keys()


def test_a_mark_keeps_its_schema() -> None:
    strict = validator(json.loads(CONTENTS[files.MARK_FILE]))
    origin = Origin(topic="product-images.raw", partition=0, offset=7)
    mark = Mark(
        fate=Fate.REPLAYED, topic="product-images.dead-letter", partition=0, offset=1, at_ms=1, by="anna@desk",
        origin=origin, replay=1, stage="upscale",
    )  # fmt: skip
    told = json.loads(dump(mark))
    strict.validate(told)
    strict.validate({**told, "origin": None, "fate": "discarded", "added_later": 1})
    assert not strict.is_valid({**told, "fate": "forgotten"})
    assert not strict.is_valid({**told, "offset": -1})


def test_the_document_and_the_files_say_the_same() -> None:
    for name, file in (
        ("rawImageEvent", files.RAW_EVENT_FILE), ("completed", files.COMPLETED_FILE),
        ("letterHeaders", files.LETTER_HEADERS_FILE),
    ):  # fmt: skip
        alone = json.loads(CONTENTS[file])
        inside = DOCUMENT["components"]["schemas"]
        assert inside[name]["properties"].keys() == alone["properties"].keys()
        assert alone.get("$defs", {}).keys() <= inside.keys()


def test_each_part_of_a_wrong_record_is_found() -> None:
    """A validator that takes everything would pass the tests above."""
    (good, _) = (each["payload"] for each in DOCUMENT["components"]["messages"]["completed"]["examples"])
    strict = part("completed")
    for path, value in (
        (("status",), "done"), (("v",), 2), (("credits",), 70), (("origin", "offset"), -1),
        (("assets", "raw", "width"), "1"), (("superseded_by",), {"topic": "t"}),
    ):  # fmt: skip
        wrong = json.loads(json.dumps(good))
        inner = wrong
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        assert not strict.is_valid(wrong), path


def test_another_shops_contract_speaks_of_its_topics_and_stages(tmp_path: Path) -> None:
    pipeline = tmp_path / "mine.yaml"
    stages = [
        {"name": "shade", "operation": "add-shadow", "needs": "raw", "makes": "shaded", "params": {"shadow_blur": 4}}
    ]
    pipeline.write_text(yaml.safe_dump({"stages": stages}))
    told = CliRunner().invoke(
        app,
        ["contract", "--out", str(tmp_path / "out"), "--pipeline", str(pipeline), "--topic-prefix", "shop", "--json"],
    )
    assert told.exit_code == 0, told.output
    assert {Path(path).name for path in json.loads(told.output)} == set(CONTENTS)
    document = yaml.safe_load((tmp_path / "out" / files.ASYNCAPI_FILE).read_text())
    assert {each["address"] for each in document["channels"].values()} == {
        "shop.raw", "shop.raw.backfill", "shop.completed", "shop.dead-letter",
    }  # fmt: skip
    event = json.loads((tmp_path / "out" / files.RAW_EVENT_FILE).read_text())["properties"]
    assert event["stages"]["items"]["enum"] == ["shade"]
    assert event["params"]["properties"]["shade"]["properties"]["shadow_blur"]["default"] == 4


def test_every_operations_parameters_stand_in_the_schema_without_references() -> None:
    for card in OPERATIONS.values():
        stage = {"name": "only", "operation": card.name, "needs": "raw", "makes": "made"}
        schema = schemas.raw_event(read_pipeline(yaml.safe_dump({"stages": [stage]}), source="one.yaml"))
        own = schema["properties"]["params"]["properties"]["only"]
        assert own["properties"].keys() == card.params.model_fields.keys()
        assert "$ref" not in json.dumps(schema)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be written: "):
        files.write(tmp_path / "file" / "out", default_pipeline(), Topics())

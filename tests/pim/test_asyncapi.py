"""The committed document and one for another shop, judged by AsyncAPI's own parser; and it, by faults."""

import json
import re
from pathlib import Path

import pytest
import yaml

from stream.contract import files
from stream.pipeline import read_pipeline
from stream.topics import Topics
from tests.services.asyncapi_parser import PACKAGE, AsyncApiParser

ERROR, WARNING, INFORMATION = 0, 1, 2
COMMITTED = Path(__file__).parents[2] / "docs/contract" / files.ASYNCAPI_FILE
EXPECTED = [
    ["publishEvent", "send"], ["publishBackfillEvent", "send"], ["readCompleted", "receive"], ["readLetter", "receive"],
]  # fmt: skip


def test_the_parser_takes_the_committed_document(asyncapi_parser: AsyncApiParser) -> None:
    told = asyncapi_parser.check(COMMITTED.read_text())
    assert [each for each in told["complaints"] if each["severity"] < INFORMATION] == []
    assert told["operations"] == EXPECTED
    assert told["version"].startswith("3.")


def test_the_parser_takes_another_shops_document(asyncapi_parser: AsyncApiParser) -> None:
    stages = [{"name": "shade", "operation": "add-shadow", "needs": "raw", "makes": "shaded"}]
    pipeline = read_pipeline(yaml.safe_dump({"stages": stages}), source="other.yaml")
    told = asyncapi_parser.check(files.contents(pipeline, Topics("other.shop"))[files.ASYNCAPI_FILE])
    assert [each for each in told["complaints"] if each["severity"] < INFORMATION] == []
    assert told["operations"] == EXPECTED


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("action: send", "action: publish"),
        ("$ref: '#/channels/raw'", "$ref: '#/channels/row'"),
        ("protocol: kafka-secure", "protokol: kafka-secure"),
        ("type: scramSha512", "type: scramSha1024"),
        ("#/components/schemas/Origin", "#/components/schemas/Origins"),
    ],
)
def test_the_parser_would_have_said_so(asyncapi_parser: AsyncApiParser, right: str, wrong: str) -> None:
    text = COMMITTED.read_text()
    assert right in text
    told = asyncapi_parser.check(text.replace(right, wrong))
    assert any(each["severity"] == ERROR for each in told["complaints"])


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((PACKAGE / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert len(packages) > 100
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in packages.values())
    assert not re.search(r"registry\.|/-/", json.dumps(lock))

"""The bill of materials is CycloneDX by its own schema, and names every package of the lock with its hashes."""

import json
import re
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.supply import sbom


def test_the_bill_is_valid_and_complete(tmp_path: Path) -> None:
    text = sbom.make(tmp_path / "bill.json").read_text()
    assert JsonStrictValidator(SchemaVersion.from_version(sbom.VERSION)).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "skustream"
    lock = sbom.LOCK.read_text()
    named = {(part["name"], part["version"]) for part in bill["components"]}
    assert named == set(re.findall(r"^([a-z0-9-]+)==([^ \\;]+)", lock, re.MULTILINE))
    hashes = {
        one["content"] for part in bill["components"] for place in part["externalReferences"] for one in place["hashes"]
    }
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))

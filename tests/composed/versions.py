"""Workers of other versions: yesterday's code as git kept it, and one of tomorrow that adds fields wherever it writes.

Comes in: a generation and a folder. Goes out: the environment in which `skustream run` is that version. Yesterday's
code runs on today's dependencies.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TREES = {
    1: "27f21db2c6e2ef81b73e35438f83b602aa0857ef",
    2: "1b8e128ac7fa20c819359e9eab8f91337c9082f7",
}
"""The package `stream` by generation (tests/frozen/README.md), named by its content: no rebase changes that."""
INSTEAD = "this copy of the repository does not have yesterday's code: git fetch --unshallow"


class Forgotten(Exception):
    """Yesterday's code is not here, and no package would bring it: a shallow clone, or no clone at all."""


TOMORROW = '''"""Loaded before anything of stream: whatever is written then has fields that are unknown today."""

import orjson

import stream.records
import stream.retries

NEW = {"added": {"by": "tomorrow"}}
whole, headers = stream.records.dump, stream.retries.RetryNote.headers


def grown(node, is_map=False):
    if isinstance(node, list):
        return [grown(each) for each in node]
    if not isinstance(node, dict):
        return node
    fields = {name: grown(each, name == "assets") for name, each in node.items()}
    return fields if is_map else fields | NEW


stream.records.dump = lambda model: orjson.dumps(grown(orjson.loads(whole(model))))
stream.retries.RetryNote.headers = lambda note: (*headers(note), ("skustream.added", b"tomorrow"))
'''


def yesterday(generation: int, folder: Path) -> Mapping[str, str]:
    """That generation's worker, with its own default pipeline. Raises Forgotten where git has it not."""
    words = ["git", "archive", "--prefix=stream/", TREES[generation]]
    try:
        packed = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError as missing:
        raise Forgotten(INSTEAD) from missing
    if packed.returncode:
        raise Forgotten(f"{INSTEAD}\n{packed.stderr.decode(errors='replace')}")
    target = folder / f"generation-{generation}"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(target, filter="data")
    return {"PYTHONPATH": os.fspath(target), "SKUSTREAM_PIPELINE": os.fspath(target / "stream" / "pipeline.yaml")}


def tomorrow(folder: Path) -> Mapping[str, str]:
    """Today's worker that adds fields to every record, document and note it writes."""
    target = folder / "tomorrow"
    target.mkdir()
    (target / "sitecustomize.py").write_text(TOMORROW)
    return {"PYTHONPATH": os.fspath(target)}

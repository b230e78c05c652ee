"""The contract on disk: five files, the same bytes for the same pipeline and topics.

Comes in: pipeline, topics, a folder. Goes out: the paths written.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from stream.contract import asyncapi, schemas
from stream.core.errors import Misconfigured
from stream.pipeline import Pipeline
from stream.topics import Topics

ASYNCAPI_FILE = "asyncapi.yaml"
RAW_EVENT_FILE = "raw-event.schema.json"
COMPLETED_FILE = "completed.schema.json"
LETTER_HEADERS_FILE = "letter-headers.schema.json"
MARK_FILE = "mark.schema.json"
LINE_WIDTH = 120


class _Plain(yaml.SafeDumper):
    """Writes every value out: anchors are for machines."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - yaml's own signature
        return True


def contents(pipeline: Pipeline, topics: Topics) -> Mapping[str, str]:
    """File name → text."""
    document = asyncapi.document(pipeline, topics)
    return {
        ASYNCAPI_FILE: yaml.dump(
            document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=LINE_WIDTH, default_flow_style=False
        ),
        RAW_EVENT_FILE: _json(schemas.raw_event(pipeline)),
        COMPLETED_FILE: _json(schemas.completed()),
        LETTER_HEADERS_FILE: _json(schemas.letter_headers()),
        MARK_FILE: _json(schemas.mark()),
    }


def write(folder: Path, pipeline: Pipeline, topics: Topics) -> list[Path]:
    """Write the files into `folder` (made if missing). Raises `Misconfigured` where that cannot be."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents(pipeline, topics).items():
            (folder / name).write_text(text, encoding="utf-8")
            written.append(folder / name)
    except OSError as error:
        raise Misconfigured(f"--out {folder}: cannot be written: {error.strerror}") from None
    return written


def _json(schema: schemas.Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

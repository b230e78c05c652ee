"""JSON Schemas (2020-12) of what enters and what leaves, made from the models that read and write it.

Comes in: the pipeline, whose stages and parameters an event may name. Goes out: schemas as plain dictionaries.
A model's own schema says too little for an outsider (the other name of `sku_id`, what a URL must look like), so that is
added here. A property test holds the raw event's schema against the model in both directions; what no schema can say
stands in `UNSAID`, and in the schema itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from stream.contract import words
from stream.core.errors import Reason
from stream.events import FORMAT, MAX_EVENT_BYTES, PRINTABLE_PATTERN, TIME_PATTERN, URL_PATTERN, Priority, RawEvent
from stream.pipeline import Pipeline
from stream.records import Terminal
from stream.replays.marks import Mark

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
UNSAID = (
    f"What a schema cannot say, and the worker demands all the same: at most {MAX_EVENT_BYTES} bytes of UTF-8 without a"
    " byte-order mark, nested at most some 100 deep; whole numbers without a decimal point; printable characters"
    " only; a date that is in the calendar and not days ahead; a well-formed host and a port up to 65535; stages that"
    " find what they need."
)
DECIMAL = r"^-?[0-9]+([.][0-9]+)?([Ee][+-]?[0-9]+)?$"
_NAMES = ("sku_id", "image_id", "event_id", "batch_id", "version")


def raw_event(pipeline: Pipeline) -> Schema:
    """Raw-image event v1, for this pipeline's stages and their parameters."""
    schema = _plain(RawEvent, words.RAW_EVENT)
    fields: Schema = schema["properties"]
    for name in _NAMES:
        fields[name]["pattern"] = PRINTABLE_PATTERN
    fields["raw_url"]["pattern"] = URL_PATTERN
    fields["occurred_at"] |= {"pattern": TIME_PATTERN, "format": "date-time"}
    names = [stage.name for stage in pipeline.stages]
    fields["stages"] |= {"minItems": 1, "items": {"type": "string", "enum": names}}
    fields["params"] |= {"additionalProperties": False, "properties": _params(pipeline)}
    both = {"sku_id": fields["sku_id"], "id": {**fields["sku_id"], "description": words.RAW_EVENT["id"]}}
    schema["properties"] = both | fields
    schema["required"] = ["raw_url"]
    schema["oneOf"] = [{"required": ["sku_id"]}, {"required": ["id"]}]
    return _titled(schema, "Raw-image event, version 1", f"What the PIM publishes. {UNSAID}")


def completed() -> Schema:
    """The terminal record. Readers must bear fields they do not know: `v` stays while fields are only added."""
    schema = _plain(Terminal, words.COMPLETED, mode="serialization")
    for definition in schema["$defs"].values():
        _open(definition)
    _open(schema)
    schema["properties"]["v"] = {"const": FORMAT, "description": words.COMPLETED["v"], "type": "integer"}
    for fields in (schema["properties"], schema["$defs"]["Asset"]["properties"]):
        fields["credits"]["pattern"] = DECIMAL
    schema["$defs"]["Asset"]["properties"]["sha256"]["pattern"] = "^[0-9a-f]{64}$"
    return _titled(schema, "Terminal record, version 1", "The one end of an event in the completed topic.")


def letter_headers() -> Schema:
    """The headers of a letter. Its value is whatever bytes the stage could not take."""
    schema: Schema = {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text}
            for name, text in (words.LETTER_ALWAYS | words.LETTER_SOMETIMES).items()
        },
        "required": list(words.LETTER_ALWAYS),
    }
    for name, text in words.LETTER_ELSEWHERE.items():
        kind = {} if name in words.LETTER_BINARY else {"type": "string"}
        schema["properties"][name] = {**kind, "description": text}
    for name in words.LETTER_NUMBERS:
        schema["properties"][name]["pattern"] = "^[0-9]+$"
    schema["properties"]["skustream.reason"]["enum"] = [reason.value for reason in Reason]
    schema["properties"]["skustream.priority"]["enum"] = [priority.value for priority in Priority]
    return _titled(
        schema,
        "Headers of a letter",
        "Texts in UTF-8; only Spring's numbers (kafka_dlt-original-*) are bytes: decode what you know, not everything."
        " The rest of a letter is the failed record: key and value as they came.",
    )


def mark() -> Schema:
    """A decision about a letter, as whoever audits replays reads it."""
    schema = _plain(Mark, words.MARK, mode="serialization")
    for definition in schema["$defs"].values():
        _open(definition)
    _open(schema)
    told = "A record of the compacted topic of replays: the latest of a key counts, one without a value takes it back."
    return _titled(schema, "Mark, version 1", told)


def _params(pipeline: Pipeline) -> Schema:
    """Each stage's parameters; what its own model says in a foreign language of references is resolved."""
    found: Schema = {}
    for stage in pipeline.stages:
        own = _without_titles(stage.card.params.model_json_schema())
        own = _inlined(own, own.pop("$defs", {}))
        for name, value in stage.params.items():
            own["properties"][name]["default"] = value
        found[stage.name] = own
    return found


def _plain(model: type[BaseModel], told: Mapping[str, str], *, mode: Any = "validation") -> Schema:
    """Pydantic's schema without its titles, `null` in one place, each field described."""
    schema: Schema = _without_titles(model.model_json_schema(mode=mode, by_alias=False))
    for name, definition in schema.get("$defs", {}).items():
        _describe(definition, words.DEFINITIONS.get(name, {}))
    _describe(schema, told)
    return schema


def _describe(schema: Schema, told: Mapping[str, str]) -> None:
    for name, field in schema.get("properties", {}).items():
        schema["properties"][name] = {"description": told[name], **field}


def _open(schema: Schema) -> None:
    """What we write ourselves is written whole, and may grow."""
    schema.pop("additionalProperties", None)
    if "properties" in schema:
        schema["required"] = list(schema["properties"])
        for field in schema["properties"].values():
            field.pop("default", None)


def _without_titles(node: Any) -> Any:
    """The same without pydantic's made-up titles, and `anyOf: [x, null]` as x that may be null."""
    if isinstance(node, list):
        return [_without_titles(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept: Schema = {}
    for name, value in node.items():
        if name in {"properties", "$defs"}:  # here names are a field's own, `title` and `default` among them
            kept[name] = {each: _without_titles(part) for each, part in value.items()}
        elif name == "default":
            kept[name] = value
        elif name != "title":
            kept[name] = _without_titles(value)
    return _nullable(kept)


def _nullable(schema: Schema) -> Schema:
    match schema.get("anyOf"):
        case [dict(kind), {"type": "null"}] if isinstance(kind.get("type"), str) and "enum" not in kind:
            others = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
            return {**kind, "type": [kind["type"], "null"], **others}
    return schema


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    return referring(node, lambda name: _inlined(definitions[name], definitions))


def referring(node: Any, resolve: Callable[[str], Any]) -> Any:
    """`node` with what `resolve` gives for the name of each `#/$defs/<name>` in place of the reference."""
    if isinstance(node, list):
        return [referring(each, resolve) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    rest = {name: referring(value, resolve) for name, value in node.items() if name != "$ref"}
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        return {**resolve(reference.removeprefix("#/$defs/")), **rest}
    return rest if reference is None else {"$ref": reference, **rest}


def _titled(schema: Schema, title: str, description: str) -> Schema:
    return {"$schema": DRAFT, "title": title, **schema, "description": description}

"""The contract as one AsyncAPI 3 document, told from the PIM's side: it sends raw-image events and receives their ends.

Comes in: pipeline and topics. Goes out: the document as plain values. `contract.files` writes it down.
"""

from typing import Any

from stream.contract import examples, schemas
from stream.pipeline import Pipeline
from stream.topics import TopicPlan, Topics

ASYNCAPI = "3.0.0"
CONTRACT_VERSION = "1.0.0"
"""Of the contract, not of the program: raised with the version of an event or a record."""
KAFKA_BINDING = "0.5.0"
READING = (
    "Read with isolation.level=read_committed, or you will see records of transactions that were taken back. A"
    " deployment with at-least-once delivery may end an event twice, identical but for timings."
)
STORES = "An object store may write its S3 notifications here as well (`Records`); their shape is the store's own."
Node = dict[str, Any]


def document(pipeline: Pipeline, topics: Topics) -> Node:
    """The whole document, for this pipeline and these topics."""
    payloads = {"rawImageEvent": schemas.raw_event(pipeline), "completed": schemas.completed()}
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "skustream: product images",
            "version": CONTRACT_VERSION,
            "description": (
                "What a PIM publishes to have product photos finished, and what it gets back: per event exactly one"
                " record, in `completed` or in `deadLetter`. Made by `skustream contract`; do not edit."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": _channels(pipeline, topics),
        "operations": _operations(),
        "components": {
            "messages": _messages(pipeline, topics),
            "schemas": _schemas(payloads) | {"letterHeaders": _bare(schemas.letter_headers())},
            "securitySchemes": {
                "sasl": {"type": "scramSha512", "description": "As your cluster demands; any of librdkafka's will do."}
            },
        },
    }


def _servers() -> Node:
    host = {"description": "A bootstrap server, host:port.", "default": "127.0.0.1:9092"}
    secure = {"description": "A bootstrap server, host:port.", "default": "kafka.example.com:9093"}
    return {
        "plain": {
            "host": "{bootstrapServer}", "protocol": "kafka", "description": "A Kafka without encryption.",
            "variables": {"bootstrapServer": host},
        },
        "secure": {
            "host": "{bootstrapServer}", "protocol": "kafka-secure", "description": "A Kafka with TLS and SASL.",
            "variables": {"bootstrapServer": secure}, "security": [{"$ref": "#/components/securitySchemes/sasl"}],
        },
    }  # fmt: skip


def _channels(pipeline: Pipeline, topics: Topics) -> Node:
    plans = {plan.name: plan for plan in topics.plans(pipeline.topics_between(topics))}
    return {
        "raw": _channel(plans[topics.raw], f"Live events. {STORES}", "rawImageEvent"),
        "rawBackfill": _channel(plans[topics.backfill], "Events that can wait; live ones go first.", "rawImageEvent"),
        "completed": _channel(plans[topics.completed], f"Events that ended well. {READING}", "completed"),
        "deadLetter": _channel(plans[topics.dead_letter], f"Events that ended in a failure. {READING}", "letter"),
    }


def _channel(plan: TopicPlan, description: str, message: str) -> Node:
    limits: Node = {name: int(plan.limits[name]) for name in ("max.message.bytes", "retention.ms")}
    limits["cleanup.policy"] = [plan.limits["cleanup.policy"]]
    return {
        "address": plan.name,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"topicConfiguration": limits, "bindingVersion": KAFKA_BINDING}},
    }


def _operations() -> Node:
    return {
        "publishEvent": _operation("send", "raw", "rawImageEvent", "Have a photo finished."),
        "publishBackfillEvent": _operation("send", "rawBackfill", "rawImageEvent", "Have a photo finished, with time."),
        "readCompleted": _operation("receive", "completed", "completed", "Learn where the finished pictures are."),
        "readLetter": _operation("receive", "deadLetter", "letter", "Learn which events failed, and why."),
    }


def _operation(action: str, channel: str, message: str, summary: str) -> Node:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _messages(pipeline: Pipeline, topics: Topics) -> Node:
    headers, value = examples.letter(pipeline, topics)
    return {
        "rawImageEvent": {
            "title": "Raw-image event", "summary": "A product photo to be finished.",
            "payload": {"$ref": "#/components/schemas/rawImageEvent"},
            "bindings": _key("The sku_id, so that events of a product stay in order."),
            "examples": [
                {"name": "smallest", "payload": examples.SMALLEST},
                {"name": "everything", "payload": examples.whole_event(pipeline)},
            ],
        },
        "completed": {
            "title": "Terminal record", "summary": "The one end of an event that did not fail.",
            "payload": {"$ref": "#/components/schemas/completed"},
            "bindings": _key("The sku_id."),
            "examples": [
                {"name": "completed", "payload": examples.completed(pipeline, topics)},
                {"name": "superseded", "payload": examples.superseded(topics)},
            ],
        },
        "letter": {
            "title": "Letter", "summary": "A failed record, byte for byte; what failed and why is in the headers.",
            "contentType": "application/octet-stream",
            "headers": {"$ref": "#/components/schemas/letterHeaders"},
            "payload": {
                "description": "Any bytes: the failing stage's input, which may be the raw event, a stage record that"
                " carries the raw event as the text `raw`, or something that nobody can read."
            },
            "bindings": _key("As the failed record's; none where it had none.", kind=["string", "null"]),
            "examples": [{"name": "sourceMissing", "headers": headers, "payload": value}],
        },
    }  # fmt: skip


def _key(description: str, kind: str | list[str] = "string") -> Node:
    return {"kafka": {"key": {"type": kind, "description": description}, "bindingVersion": KAFKA_BINDING}}


def _schemas(payloads: dict[str, Node]) -> Node:
    """Every schema in one place, references pointing there."""
    found: Node = {}
    for name, schema in payloads.items():
        bare = _bare(schema)
        found |= {each: _pointed(part) for each, part in bare.pop("$defs", {}).items()}
        found[name] = _pointed(bare)
    return found


def _pointed(node: Any) -> Any:
    return schemas.referring(node, lambda name: {"$ref": f"#/components/schemas/{name}"})


def _bare(schema: Node) -> Node:
    """A part of a document has no dialect of its own."""
    return {name: value for name, value in schema.items() if name != "$schema"}

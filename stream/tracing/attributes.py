"""What spans and their attributes are called, in one place. Strings only; documented in docs/tracing.md.

Names of others' are those of OpenTelemetry's semantic conventions 1.45 (messaging, Kafka, errors, servers); what they
have no word for begins with `skustream.`. Nothing secret is ever a value: no URL, no header, no error's own words.
"""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"

# Spans.
PROCESS = "process"
"""One event's walk through one stage; its topic stands behind it."""
WAIT, SUBMIT, POLL, LOOK_UP = "wait", "submit", "poll", "look up"
DOWNLOAD, PUT, GET, COMMIT = "download", "put", "get", "commit"

# Kafka's.
SYSTEM = "messaging.system.name"
KAFKA = "kafka"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
OFFSET = "kafka.offset"
GROUP = "messaging.consumer.group.name"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
BATCH = "messaging.batch.message_count"

# Everybody's.
ERROR = "error.type"
SERVER = "server.address"

# Ours.
STAGE = "skustream.stage"
SKU = "skustream.sku_id"
IMAGE = "skustream.image_id"
EVENT = "skustream.event_id"
BATCH_ID = "skustream.batch_id"
PRIORITY = "skustream.priority"
REPLAY = "skustream.replay"
OUTCOME = "skustream.outcome"
REASON = "skustream.reason"
LINK = "skustream.link"
"""Why a trace begins anew: `retry`, `replay` or `long-wait`."""
ASK = "skustream.ask"
"""What a wait at the limiter was for."""
OPERATION = "skustream.operation"
JOB = "skustream.job_id"
STATE = "skustream.job_state"
WHOSE = "skustream.download"
"""Whose file: `source` or `result`."""
KEY = "skustream.asset_key"
SIZE = "skustream.bytes"

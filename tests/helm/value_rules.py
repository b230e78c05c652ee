"""What the types of the chart's values do not say: patterns, limits, closed lists, and whose settings are whose.

Goes out: `RULES` by path, for the schema that `paper` makes.
"""

from typing import Any

OWN_SETTINGS = frozenset({
    "pixelapi_key", "pixelapi_key_file", "pixelapi_base", "quota_requests", "quota_window_seconds", "quota_share",
    "quota_starts_closed", "kafka_bootstrap_servers", "kafka", "store", "cdn_base_url", "aws_access_key_id",
    "aws_secret_access_key", "aws_secret_access_key_file", "aws_session_token", "aws_session_token_file", "aws_region",
    "aws_endpoint_url", "pipeline", "spool_dir", "spool_bytes", "drain_seconds", "file_root", "http_host", "http_port",
    "console_host", "console_port", "console_allow_replay", "console_token", "console_token_file", "console_hosts",
    "console_proxy_header", "console_proxy_addresses", "otlp_endpoint", "otlp_headers", "otlp_headers_file",
})  # fmt: skip
"""Settings that the chart makes from values of its own, secrets, and what would break a law in a fleet."""

NAME = {"pattern": r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$"}
SECRET_KEY = {"pattern": r"^[-._a-zA-Z0-9]{1,253}$"}
OPTIONAL_SECRET_KEY = {"pattern": r"^[-._a-zA-Z0-9]{0,253}$"}
PORT = {"minimum": 1, "maximum": 65_535}
MEBIBYTES = {"minimum": 1, "maximum": 1_048_576}
CPU = {"pattern": r"^([0-9]+m|[0-9]+(\.[0-9]+)?)$"}
MEMORY = {"pattern": r"^[1-9][0-9]*(Mi|Gi)$"}
TEXTS = {"additionalProperties": {"type": "string"}}
OBJECTS = {"items": {"type": "object"}}
URL = {"pattern": r"^(https?://[^/?#@\s]+([/?#]\S*)?)?$"}
"""No name and password in it: it stands where everybody may read it."""

RESOURCES = {
    "type": "object", "additionalProperties": False, "required": ["cpu", "memory"],
    "description": "Of this stage's workers.",
    "properties": {
        "cpu": {"type": "string", "description": "CPU asked for.", **CPU},
        "memory": {"type": "string", "description": "Memory asked for, and the limit.", **MEMORY},
    },
}  # fmt: skip
STAGE = {
    "type": "object", "additionalProperties": False, "required": ["name", "replicas", "quotaPercent"],
    "description": "One stage, with a Deployment of its own.",
    "properties": {
        "name": {
            "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,47}[a-z0-9])?$",
            "description": "The stage's name in the pipeline.",
        },
        "replicas": {"type": "integer", "minimum": 0, "maximum": 1000, "description": "Its workers."},
        "maxReplicas": {
            "type": "integer", "minimum": 0, "maximum": 1000,
            "description": "Its part of the contract is cut into so many shares; 0: as many as replicas.",
        },
        "quotaPercent": {
            "type": "integer", "minimum": 1, "maximum": 100,
            "description": "Its part of the contract, for all its workers; all stages together at most quota.percent.",
        },
        "resources": RESOURCES,
    },
}  # fmt: skip
RULES: dict[str, dict[str, Any]] = {
    "nameOverride": {"pattern": "^([a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?)?$"},
    "fullnameOverride": {"pattern": "^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$"},
    "image.repository": {"pattern": r"^([a-z0-9][-a-z0-9._:/]*)?$"},
    "image.tag": {"pattern": r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$"},
    "image.digest": {"pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "image.pullSecrets": {"items": {"type": "string"}},
    "stages": {"type": ["string", "array"], "oneOf": [
        {"const": "all"}, {"type": "array", "minItems": 1, "items": STAGE},
    ]},
    "replicas": {"minimum": 0, "maximum": 1000},
    "maxReplicas": {"minimum": 0, "maximum": 1000},
    "updateStrategy": {"enum": ["RollingUpdate", "Recreate"]},
    "quota.requests": {"minimum": 1, "maximum": 1_000_000},
    "quota.windowSeconds": {"minimum": 1, "maximum": 86_400},
    "quota.percent": {"minimum": 1, "maximum": 100},
    "pixelapi.existingSecret": NAME,
    "pixelapi.secretKey": SECRET_KEY,
    "pixelapi.base": URL,
    "kafka.options": {"additionalProperties": {"type": ["string", "number", "boolean"]}},
    "kafka.sasl.existingSecret": NAME,
    "kafka.sasl.usernameKey": SECRET_KEY,
    "kafka.sasl.passwordKey": SECRET_KEY,
    "kafka.tls.existingSecret": NAME,
    "kafka.tls.caKey": OPTIONAL_SECRET_KEY,
    "kafka.tls.certificateKey": OPTIONAL_SECRET_KEY,
    "kafka.tls.privateKeyKey": OPTIONAL_SECRET_KEY,
    "kafka.tls.privateKeyPasswordKey": OPTIONAL_SECRET_KEY,
    "store.url": {"pattern": "^(s3://[^/?#@]+(/[^?#]*)?)?$"},
    "store.cdnBaseUrl": URL,
    "store.endpointUrl": URL,
    "store.existingSecret": NAME,
    "store.accessKeyIdKey": SECRET_KEY,
    "store.secretAccessKeyKey": SECRET_KEY,
    "drainSeconds": {"minimum": 1, "maximum": 86_400},
    "httpPort": PORT,
    "resources.cpu": CPU,
    "resources.memory": MEMORY,
    "spool.sizeMiB": {"minimum": 64, "maximum": 1_048_576},
    "tmp.sizeMiB": MEBIBYTES,
    "serviceAccount.name": NAME,
    "serviceAccount.annotations": TEXTS,
    "podLabels": TEXTS,
    "podAnnotations": TEXTS,
    "nodeSelector": TEXTS,
    "tolerations": OBJECTS,
    "affinity": {"additionalProperties": True},
    "priorityClassName": NAME,
    "podMonitor.interval": {"pattern": "^([1-9]s|[1-9][0-9]s|1[01][0-9]s|120s|[12]m)$"},  # alerts look at 5 minutes
    "podMonitor.labels": TEXTS,
    "dashboards.labels": TEXTS,
    "dashboards.annotations": TEXTS,
    "dashboards.consoleUrl": URL,
    "dashboards.runbookUrl": URL,
    "prometheusRule.runbookUrl": {"pattern": r"^(https?://[^/?#@\s\"'<>]+([/?#][^\s\"'<>]*)?)?$"},
    "prometheusRule.labels": TEXTS,
    "autoscaling.prometheusUrl": {"pattern": r"^(https?://[^/?#@\s\"'<>]+([/?#][^\s\"'<>]*)?)?$"},
    "autoscaling.requestsPerWorker": {"minimum": 1, "maximum": 1_000_000},
    "networkPolicy.metricsFrom": OBJECTS,
    "networkPolicy.consoleFrom": OBJECTS,
    "networkPolicy.kafkaPorts": {"minItems": 1, "items": {"type": "integer", **PORT}},
    "networkPolicy.extraEgress": OBJECTS,
    "topics.partitions": {"minimum": 1, "maximum": 10_000},
    "topics.replicationFactor": {"minimum": 0, "maximum": 100},
    "console.port": PORT,
    "console.days": {"minimum": 1, "maximum": 3650},
    "console.hosts": {"items": {"type": "string"}},
    "console.token.existingSecret": NAME,
    "tracing.endpoint": URL,
    "tracing.existingSecret": NAME,
    "tracing.secretKey": SECRET_KEY,
    "console.token.secretKey": SECRET_KEY,
    "console.proxy.header": {"pattern": "^([A-Za-z][A-Za-z0-9-]{0,63})?$"},
    "console.proxy.addresses": {"items": {"type": "string"}},
    "console.resources.cpu": CPU,
    "console.resources.memory": MEMORY,
}  # fmt: skip
"""Path → what its type does not say. Empty texts mean: not set."""

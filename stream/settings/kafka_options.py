"""librdkafka's own options: which may be set freely, which would break a law, and which are secret.

Comes in: option names with dots (`security.protocol`), from `SKUSTREAM_KAFKA_*` or the file's `kafka:` map.
Goes out: the same as strings, or ValueError with the law the option would break.
"""

from collections.abc import Mapping
from typing import Any

ENVIRONMENT_PREFIX = "SKUSTREAM_KAFKA_"

_OFFSETS = "offsets are committed with their outputs in one step, or events would be lost or ended twice (L1)"
_ORDER = "it is set from SKUSTREAM_DELIVERY, or events would be lost or ended twice (L1)"
_NAMES = "skustream derives it from SKUSTREAM_TOPIC_PREFIX and the stage, so that the next owner takes over (L7)"
_PROTOCOL = "the hand-over of running jobs (L7) is built on skustream's own choice of it"
_SIZES = "a letter must always be writable (L6); the topics' own limits decide"
REFUSED: Mapping[str, str] = {
    "enable.auto.commit": _OFFSETS,
    "auto.commit.enable": _OFFSETS,
    "enable.auto.offset.store": _OFFSETS,
    "auto.offset.reset": "a new group must begin with the first event, or events would be lost (L1)",
    "isolation.level": "aborted outputs must stay invisible (L1)",
    "transactional.id": _NAMES,
    "group.id": _NAMES,
    "enable.idempotence": _ORDER,
    "acks": _ORDER,
    "request.required.acks": _ORDER,
    "partition.assignment.strategy": _PROTOCOL,
    "group.protocol": _PROTOCOL,
    "message.max.bytes": _SIZES,
    "bootstrap.servers": "it has a setting of its own: KAFKA_BOOTSTRAP_SERVERS",
    "metadata.broker.list": "it has a setting of its own: KAFKA_BOOTSTRAP_SERVERS",
    "session.timeout.ms": "it has a setting of its own: SKUSTREAM_SESSION_SECONDS",
    "transaction.timeout.ms": "it has a setting of its own: SKUSTREAM_TRANSACTION_TIMEOUT_SECONDS",
}
"""Option → why it is refused."""

_SECRET_PARTS = ("password", "passphrase", "secret", "oauthbearer.config", "key.pem", "jaas", "token")

_IN_FILE = ".file"


def option_of(environment_name: str) -> str:
    """`SKUSTREAM_KAFKA_SECURITY_PROTOCOL` → `security.protocol`."""
    return environment_name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", ".")


def environment_name(option: str) -> str:
    """`security.protocol` → `SKUSTREAM_KAFKA_SECURITY_PROTOCOL`."""
    return ENVIRONMENT_PREFIX + option.upper().replace(".", "_")


def secret_in_file(option: str) -> str | None:
    """`sasl.password.file` → `sasl.password`: ours, not librdkafka's. None for any option that names no such file."""
    secret = option.lower().removesuffix(_IN_FILE)
    return secret if option.lower().endswith(_IN_FILE) and is_secret(secret) else None


def is_secret(option: str) -> bool:
    """Whether the option's value must never be shown."""
    return any(part in option for part in _SECRET_PARTS)


def checked(options: object) -> dict[str, str]:
    """The options as librdkafka takes them. Raises ValueError with what is wrong, never with a value."""
    if not isinstance(options, Mapping):
        raise ValueError("a map of librdkafka options, e.g. security.protocol: SASL_SSL")  # noqa: TRY004 - for pydantic
    result = {}
    for name, value in options.items():
        option = str(name).lower()
        if option in REFUSED:
            raise ValueError(f"the option {option} cannot be set: {REFUSED[option]}")
        result[option] = _text(option, value)
    return result


def _text(option: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"the option {option} must be a plain value (text, number, true or false)")

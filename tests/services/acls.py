"""Access lists on a guarded broker, put there as an administrator would: exactly the grants of a role, or fewer."""

from collections.abc import Collection

from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exported, unmarked
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from stream.broker.rights import ask_rights
from stream.roles import Grant, Kind
from tests.services.kafka import KafkaCluster
from tests.services.waiting import until

_KINDS = {
    Kind.TOPIC: ResourceType.TOPIC,
    Kind.GROUP: ResourceType.GROUP,
    Kind.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
_PATIENCE_SECONDS = 30


def allow(kafka: KafkaCluster, user: str, wanted: Collection[Grant]) -> None:
    """Give `user` these rights, and return once the broker keeps to them."""
    lists = [
        AclBinding(
            _KINDS[grant.kind], grant.name,
            ResourcePatternType.PREFIXED if grant.is_prefix else ResourcePatternType.LITERAL,
            f"User:{user}", "*", _operation(name), AclPermissionType.ALLOW,
        )
        for grant in wanted for name in grant.operations
    ]  # fmt: skip
    for answer in kafka.admin().create_acls(lists).values():
        answer.result(_PATIENCE_SECONDS)
    until(lambda: missing(kafka, user, wanted) == [], timeout_seconds=_PATIENCE_SECONDS, what=f"the rights of {user}")


def forbid(kafka: KafkaCluster, user: str, wanted: Collection[Grant]) -> None:
    """Take these from `user` again, and return once the broker keeps to that."""
    filters = [
        AclBindingFilter(
            _KINDS[grant.kind], grant.name, ResourcePatternType.ANY, f"User:{user}", "*", _operation(name),
            AclPermissionType.ALLOW,
        )
        for grant in wanted for name in grant.operations
    ]  # fmt: skip
    for answer in kafka.admin().delete_acls(filters).values():
        answer.result(_PATIENCE_SECONDS)
    until(
        lambda: len(missing(kafka, user, wanted)) == len(wanted), timeout_seconds=_PATIENCE_SECONDS,
        what=f"the rights taken from {user}",
    )  # fmt: skip


def missing(kafka: KafkaCluster, user: str, wanted: Collection[Grant]) -> list[Grant]:
    """What of these the broker would refuse to `user`, by its own word."""
    return ask_rights(kafka.guarded(user), wanted, timeout_seconds=20, patience_seconds=20).missing


def _operation(name: str) -> AclOperation:
    """`DescribeConfigs` → `DESCRIBE_CONFIGS`."""
    return AclOperation["".join(f"_{one}" if one.isupper() else one.upper() for one in name).lstrip("_")]

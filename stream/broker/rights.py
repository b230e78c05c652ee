"""May we? What the broker lets this user do with the topics and groups of a pipeline. Asks, tries nothing.

Comes in: what a worker reads, writes and joins. Goes out: findings with a way out. A broker tells rights on topics and
groups; none tells them on transactional ids without trying one.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined] # re-exported, unmarked

from stream.broker.admin import cause_of, open_admin
from stream.broker.rules import Finding, Level

AGAIN_SECONDS = 0.2
READ, WRITE, DESCRIBE, CREATE, DELETE = (
    AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE, AclOperation.CREATE, AclOperation.DELETE,
)  # fmt: skip
FORBIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
PASSING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - librdkafka's own errors are named so
}  # fmt: skip
"""Said of groups while their coordinator is moving, or just beginning."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a worker does with Kafka, by name. `writes_in_transactions` below ids that begin with `id_prefix`."""

    reads: Collection[str]
    writes: Collection[str]
    groups: Collection[str]
    writes_in_transactions: bool
    id_prefix: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The broker's word on one topic or group: operations, or why there are none."""

    operations: frozenset[AclOperation] = frozenset()
    refusal: KafkaError | None = None


def check_rights(client: Mapping[str, Any], needs: Needs, *, timeout_seconds: float) -> list[Finding]:
    """What is not allowed, or could not be asked. Missing topics are `check_topics`' business.

    `client`: librdkafka options. Raises `Misconfigured` (options librdkafka refuses).
    """
    admin = open_admin(client)
    topics = _asked(lambda names: _topics(admin, names, timeout_seconds), {*needs.reads, *needs.writes}, 0.0)
    groups = _asked(lambda names: _groups(admin, names, timeout_seconds), {*needs.groups}, timeout_seconds)
    found: list[Finding] = []
    for name, allowed in sorted(topics.items()):
        wanted = {READ: name in needs.reads, WRITE: name in needs.writes}
        found += _judge("topic", name, allowed, [operation for operation, is_needed in wanted.items() if is_needed])
    for name, allowed in sorted(groups.items()):
        found += _judge("group", name, allowed, [READ])
    told = [allowed.operations for allowed in (*topics.values(), *groups.values()) if allowed.refusal is None]
    if told and all({DELETE, DESCRIBE} <= operations for operations in told) and not found:
        message = "everything is allowed: this user is a super user, or the broker checks no rights"
        return [Finding(Level.INFO, "rights", message, "nothing to do, where that is meant")]
    if needs.writes_in_transactions:
        found.append(_untold(needs.id_prefix))
    return found


def _asked(
    ask: Callable[[Collection[str]], Mapping[str, Future[Any]]], names: set[str], patience_seconds: float
) -> dict[str, Allowed]:
    """Ask about `names`, and again about those whose answer is a passing trouble, until patience ends."""
    until = time.monotonic() + patience_seconds
    answers: dict[str, Allowed] = {}
    left = set(names)
    while left:
        answers |= {name: _answer(future) for name, future in ask(sorted(left)).items()}
        left = {name for name, allowed in answers.items() if allowed.refusal and allowed.refusal.code() in PASSING}
        if time.monotonic() >= until:
            break
        time.sleep(AGAIN_SECONDS if left else 0)
    return answers


def _topics(admin: AdminClient, names: Collection[str], timeout_seconds: float) -> Mapping[str, Future[Any]]:
    asked = TopicCollection(list(names))
    return admin.describe_topics(asked, include_authorized_operations=True, request_timeout=timeout_seconds)


def _groups(admin: AdminClient, names: Collection[str], timeout_seconds: float) -> Mapping[str, Future[Any]]:
    return admin.describe_consumer_groups(
        list(names), include_authorized_operations=True, request_timeout=timeout_seconds
    )


def _answer(future: "Future[Any]") -> Allowed:
    try:
        return Allowed(frozenset(future.result().authorized_operations or ()))
    except KafkaException as error:
        return Allowed(refusal=cause_of(error))


def _judge(kind: str, name: str, allowed: Allowed, wanted: list[AclOperation]) -> list[Finding]:
    refusal = allowed.refusal
    if refusal is None or refusal.code() in FORBIDDEN:
        missing = [operation for operation in wanted if operation not in allowed.operations]
        if not missing:
            return []
        words = " and ".join(operation.name.title() for operation in missing)
        message = f"{words} on the {kind} is not allowed to this user"
        return [Finding(Level.ERROR, name, message, _grant(kind, name, missing))]
    if refusal.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return []
    message = f"rights on the {kind} could not be asked: {refusal.str()}"
    return [Finding(Level.WARNING, name, message, "check again; the worker's start will tell")]


def _untold(id_prefix: str) -> Finding:
    message = f"rights on transactional ids ({id_prefix}…) are told by no broker; a worker's start tries them"
    way_out = f"kafka-acls.sh --add --allow-principal User:... --operation Write --operation Describe \
--transactional-id {id_prefix} --resource-pattern-type prefixed"
    return Finding(Level.INFO, "rights", message, way_out)


def _grant(kind: str, name: str, operations: list[AclOperation]) -> str:
    words = " ".join(f"--operation {operation.name.title()}" for operation in operations)
    return f"kafka-acls.sh --add --allow-principal User:... {words} --{kind} {name}"

"""May we? What the broker lets this user do with topics, groups and transactional ids. Asks, and changes nothing.

Comes in: the grants of a role. Goes out: findings with a way out, or a refusal to start. Rights on a transactional id
are told by no broker, but it looks at them first: a request for an impossible timeout is refused either way, and how
it is tells.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined] # re-exported, unmarked

from stream.broker.admin import open_admin
from stream.broker.refusals import FORBIDDEN, cause_of, is_nameless, knock, misfit, not_allowed, principal_of
from stream.broker.rules import Finding, Level
from stream.roles import Grant, Kind

AGAIN_SECONDS = 0.2
IMPOSSIBLE_MS = 2_147_483_647
"""As a transaction's timeout: more than `transaction.max.timeout.ms` allows, so that no id is taken over by asking."""
SAMPLE_ID = "check"
"""Put after a prefix, for an id of its own."""
PASSING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - librdkafka's own errors are named so
}  # fmt: skip
"""Said of groups while their coordinator is moving, or just beginning."""
_CHATTER = logging.getLogger("librdkafka")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The broker's word on one topic, group or id: operations by Kafka's names, or why there are none."""

    operations: frozenset[str] = frozenset()
    refusal: KafkaError | None = None


@dataclass(slots=True)
class Told:
    """What is `missing` of the grants asked about, what could not be asked and why; `all_allowed`: a super user."""

    missing: list[Grant] = field(default_factory=list)
    unknown: list[tuple[Grant, str]] = field(default_factory=list)
    all_allowed: bool = False


def check_rights(client: Mapping[str, Any], wanted: Collection[Grant], *, timeout_seconds: float) -> list[Finding]:
    """What is not allowed, or could not be asked. Missing topics are `check_topics`' business.

    `client`: librdkafka options. Raises `Misconfigured` (options librdkafka refuses).
    """
    told = ask_rights(client, wanted, timeout_seconds=timeout_seconds, patience_seconds=timeout_seconds)
    found = [_not_given(grant, principal_of(client)) for grant in told.missing]
    found += [_not_told(grant, why) for grant, why in told.unknown]
    if told.all_allowed and not found:
        message = "everything is allowed: this user is a super user, or the broker checks no rights"
        return [Finding(Level.INFO, "rights", message, "nothing to do, where that is meant")]
    return found


def _not_given(grant: Grant, principal: str) -> Finding:
    message = f"{' and '.join(grant.operations)} on the {grant.kind} is not allowed to this user"
    return Finding(Level.ERROR, grant.name, message, grant.command(principal))


def _not_told(grant: Grant, why: str) -> Finding:
    message = f"rights on the {grant.kind} could not be asked: {why}"
    return Finding(Level.WARNING, grant.name, message, "check again; the worker's start will tell")


def demand_rights(client: Mapping[str, Any], wanted: Collection[Grant], *, timeout_seconds: float) -> None:
    """Raises `Unavailable(broker)` naming a right that is not given; what cannot be asked is let pass.

    Raises `Unavailable`, too, where the password or the certificate is wrong. Who has no name there is not asked about.
    """
    if is_nameless(client) or knock(client).cluster is None:
        return
    missing = ask_rights(client, wanted, timeout_seconds=timeout_seconds, patience_seconds=0).missing
    if missing:
        raise not_allowed(client, missing[0], others=len(missing) - 1)


def ask_rights(
    client: Mapping[str, Any], wanted: Collection[Grant], *, timeout_seconds: float, patience_seconds: float
) -> Told:
    """The broker's word on every grant. `patience_seconds`: for groups whose coordinator is moving."""
    admin = open_admin(client)
    answers: dict[tuple[Kind, str], Allowed] = {}
    for kind, ask, patience in (
        (Kind.TOPIC, _topics, 0.0), (Kind.GROUP, _groups, patience_seconds),
    ):  # fmt: skip
        names = {grant.name for grant in wanted if grant.kind is kind}
        told = _asked(lambda some, ask=ask: ask(admin, some, timeout_seconds), names, patience)  # type: ignore[misc]
        answers |= {(kind, name): allowed for name, allowed in told.items()}
    for grant in wanted:
        if grant.kind is Kind.TRANSACTIONAL_ID:
            answers[grant.kind, grant.name] = _of_id(client, grant, timeout_seconds)
    return _judged(wanted, answers)


def _judged(wanted: Iterable[Grant], answers: Mapping[tuple[Kind, str], Allowed]) -> Told:
    told = Told()
    for grant in wanted:
        allowed = answers[grant.kind, grant.name]
        refusal = allowed.refusal
        if refusal is not None and refusal.code() not in FORBIDDEN:
            if refusal.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                told.unknown.append((grant, refusal.str()))
        elif refusal is None and not allowed.operations:
            told.unknown.append((grant, "this broker tells no rights"))
        elif missing := tuple(each for each in grant.operations if each not in allowed.operations):
            told.missing.append(replace(grant, operations=missing))
    named = [each.operations for (kind, _), each in answers.items() if kind is not Kind.TRANSACTIONAL_ID]
    told.all_allowed = bool(named) and all({"Delete", "Describe"} <= operations for operations in named if operations)
    return told


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
        return Allowed(frozenset(_named(each) for each in future.result().authorized_operations or ()))
    except KafkaException as error:
        return Allowed(refusal=cause_of(error))


def _named(operation: AclOperation) -> str:
    """`DESCRIBE_CONFIGS` → `DescribeConfigs`."""
    return operation.name.title().replace("_", "")


def _of_id(client: Mapping[str, Any], grant: Grant, timeout_seconds: float) -> Allowed:
    name = f"{grant.name}{SAMPLE_ID}" if grant.is_prefix else grant.name
    options = {**client, "transactional.id": name, "transaction.timeout.ms": IMPOSSIBLE_MS}
    try:
        producer = Producer(options, logger=_CHATTER)
    except KafkaException as error:
        raise misfit(error) from None
    try:
        producer.init_transactions(timeout_seconds)
    except KafkaException as error:
        cause = cause_of(error)
        if cause.code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
            return Allowed(frozenset({"Write", "Describe"}))
        return Allowed(refusal=cause)
    return Allowed(frozenset({"Write", "Describe"}))

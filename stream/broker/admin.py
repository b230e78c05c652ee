"""The topics' caretaker: creates what is missing, and says what would break a law before it does.

Comes in: the plans of `Topics`. Goes out: what was created, and findings with a way out. No existing topic is changed.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # re-exported, unmarked
from confluent_kafka.cimpl import NewTopic

from stream.broker.refusals import answered, cause_of, misfit, principal_of
from stream.broker.rules import SIZE, Finding, TopicState, judge, number_of
from stream.roles import Grant, Kind
from stream.topics import TopicPlan, Topics, letter_bytes_of, retry_bytes_of

TIMEOUT_SECONDS = 30.0
CLUSTER_DEFAULT = -1
"""A replication factor left to the cluster's `default.replication.factor`."""
NOT_OURS = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})
_CHATTER = logging.getLogger("librdkafka")


class Done(StrEnum):
    """What became of one topic."""

    CREATED = "created"
    EXISTS = "exists"
    WOULD_CREATE = "would-create"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Creation:
    """One topic of `create_topics`; `detail` is the broker's reason when it refused."""

    topic: str
    done: Done
    detail: str = ""


def create_topics(
    client: Mapping[str, Any],
    plans: Sequence[TopicPlan],
    *,
    partitions: int,
    replication_factor: int = CLUSTER_DEFAULT,
    dry_run: bool = False,
) -> list[Creation]:
    """Create every planned topic that does not exist; existing ones stay as they are, so it may run again.

    Retry topics and the topic of letters are made large enough for the records that existing ones may hold, whatever
    their limits (L6).

    `client`: librdkafka options. Dry: the broker judges the request and creates nothing.
    Raises `Misconfigured` (options librdkafka refuses), `Unavailable(broker)`.
    """
    admin = open_admin(client)
    existing = _existing(admin, client, TIMEOUT_SECONDS)
    missing = [plan for plan in plans if plan.name not in existing]
    made = {plan.name: Creation(plan.name, Done.EXISTS) for plan in plans}
    if missing:
        sizes = _sizes(plans, _states(admin, client, set(made), TIMEOUT_SECONDS))
        wanted = [
            NewTopic(
                plan.name, 1 if plan.is_read_whole else partitions, replication_factor, config=_limits(plan, sizes)
            )
            for plan in missing
        ]
        answers = admin.create_topics(
            wanted, operation_timeout=TIMEOUT_SECONDS, request_timeout=TIMEOUT_SECONDS, validate_only=dry_run
        )
        for name, answer in answers.items():
            made[name] = _creation(name, answer, Done.WOULD_CREATE if dry_run else Done.CREATED, principal_of(client))
    return [made[plan.name] for plan in plans]


def _sizes(plans: Sequence[TopicPlan], states: Mapping[str, TopicState]) -> tuple[int, int]:
    """The largest records that existing inputs may hold, and existing retry topics."""

    def largest(names: Iterable[str]) -> int:
        return max((number_of(states[name], SIZE) or 0 for name in names if name in states), default=0)

    inputs = largest(plan.name for plan in plans if not (plan.is_for_letters or plan.is_for_retries))
    return inputs, largest(plan.name for plan in plans if plan.is_for_retries)


def _limits(plan: TopicPlan, sizes: tuple[int, int]) -> dict[str, str]:
    inputs_bytes, retries_bytes = sizes
    if plan.is_for_retries:
        least_bytes = retry_bytes_of(inputs_bytes)
    elif plan.is_for_letters:
        least_bytes = letter_bytes_of(max(retry_bytes_of(inputs_bytes), retries_bytes))
    else:
        return dict(plan.limits)
    return {**plan.limits, SIZE: str(max(int(plan.limits[SIZE]), least_bytes))}


def _creation(name: str, answer: Any, success: Done, principal: str) -> Creation:
    try:
        answer.result(TIMEOUT_SECONDS)
    except KafkaException as error:
        cause = cause_of(error)
        if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return Creation(name, Done.EXISTS)
        if cause.code() in NOT_OURS:
            way_out = Grant(Kind.TOPIC, name, ("Create",)).command(principal)
            return Creation(
                name, Done.REFUSED, f"Create is not allowed to {principal}; an administrator types: {way_out}"
            )
        return Creation(name, Done.REFUSED, cause.str())
    return Creation(name, success)


def count_brokers(client: Mapping[str, Any], *, timeout_seconds: float) -> int:
    """How many brokers the cluster has; the quickest question there is.

    Raises `Misconfigured` (options librdkafka refuses), `Unavailable(broker)` with the line's own trouble.
    """
    admin = open_admin(client)
    seen = answered(lambda seconds: admin.list_topics(timeout=seconds), client, timeout_seconds=timeout_seconds)
    return len(seen.brokers)


def check_topics(
    client: Mapping[str, Any], topics: Topics, between: Sequence[str], *, timeout_seconds: float | None = None
) -> list[Finding]:
    """What is wrong with the topics of a pipeline; `between` as `Pipeline.topics_between` gives it.

    Raises `Misconfigured` (options librdkafka refuses), `Unavailable(broker)`.
    """
    admin = open_admin(client)
    names = {plan.name for plan in topics.plans(between)}
    return judge(_states(admin, client, names, timeout_seconds or TIMEOUT_SECONDS), topics, between)


def open_admin(client: Mapping[str, Any]) -> AdminClient:
    """A client of the caretaker's. Keep it referenced: a dropped client loses the answers of its calls.

    Raises `Misconfigured` for options that librdkafka refuses.
    """
    try:
        return AdminClient({**client}, logger=_CHATTER)
    except KafkaException as error:
        raise misfit(error) from None


def _existing(admin: AdminClient, client: Mapping[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """By name; topics that this user may not describe are as good as none to it."""
    seen = answered(lambda seconds: admin.list_topics(timeout=seconds), client, timeout_seconds=timeout_seconds)
    return dict(seen.topics)


def _states(
    admin: AdminClient, client: Mapping[str, Any], names: set[str], timeout_seconds: float
) -> dict[str, TopicState]:
    existing = {name: topic for name, topic in _existing(admin, client, timeout_seconds).items() if name in names}
    hidden = {name: TopicState(0, 0, is_hidden=True) for name in _hidden(admin, names - set(existing), timeout_seconds)}
    if not existing:
        return hidden
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in existing]
    answers = {
        resource.name: answer
        for resource, answer in admin.describe_configs(resources, request_timeout=timeout_seconds).items()
    }
    return hidden | {name: _state(topic, answers[name], timeout_seconds) for name, topic in existing.items()}


def _hidden(admin: AdminClient, names: set[str], timeout_seconds: float) -> list[str]:
    """Those that are there, or may be, and that this user may not see: not the same as missing."""
    if not names:
        return []
    asked = admin.describe_topics(TopicCollection(sorted(names)), request_timeout=timeout_seconds)
    return [name for name, answer in asked.items() if _refusal(answer) == KafkaError.TOPIC_AUTHORIZATION_FAILED]


def _refusal(answer: Any) -> int | None:
    try:
        answer.result()
    except KafkaException as error:
        return cause_of(error).code()
    return None


def _state(topic: Any, answer: Any, timeout_seconds: float) -> TopicState:
    partitions = topic.partitions.values()
    copies = min((len(partition.replicas) for partition in partitions), default=0)
    try:
        entries = answer.result(timeout_seconds)
    except KafkaException as error:
        return TopicState(len(partitions), copies, unreadable=cause_of(error).str())
    config = {name: entry.value for name, entry in entries.items() if entry.value is not None}
    return TopicState(len(partitions), copies, config)

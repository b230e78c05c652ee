"""The topics' caretaker: creates what is missing, and says what would break a law before it does.

Comes in: the plans of `Topics`. Goes out: what was created, and findings with a way out. No existing topic is changed.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # re-exported, unmarked
from confluent_kafka.cimpl import NewTopic

from stream.core.errors import Misconfigured, Resource, Unavailable
from stream.topics import LETTER_HEADERS_MAX_BYTES, RECORD_OVERHEAD_BYTES, TopicPlan, Topics

TIMEOUT_SECONDS = 30.0
CLUSTER_DEFAULT = -1
"""A replication factor left to the cluster's `default.replication.factor`."""
_CHATTER = logging.getLogger("librdkafka")
_SIZE, _RETENTION, _POLICY, _IN_SYNC = "max.message.bytes", "retention.ms", "cleanup.policy", "min.insync.replicas"

Answer = TypeVar("Answer")


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


class Level(StrEnum):
    """How bad a finding is: an error breaks a law, a warning risks one, an info is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a topic, and what to do about it."""

    level: Level
    topic: str
    message: str
    way_out: str


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it stands: copies of its least copied partition, and its configuration by Kafka's names."""

    partitions: int
    copies: int
    config: Mapping[str, str] = field(default_factory=dict)
    unreadable: str = ""
    """Why the configuration could not be read (rights)."""


def create_topics(
    client: Mapping[str, Any],
    plans: Sequence[TopicPlan],
    *,
    partitions: int,
    replication_factor: int = CLUSTER_DEFAULT,
    dry_run: bool = False,
) -> list[Creation]:
    """Create every planned topic that does not exist; existing ones stay as they are, so it may run again.

    The topic of letters is made large enough for the records that existing ones may hold, whatever their limits (L6).

    `client`: librdkafka options. Dry: the broker judges the request and creates nothing.
    Raises `Misconfigured` (options librdkafka refuses), `Unavailable(broker)`.
    """
    admin = _open(client)
    existing = _existing(admin)
    missing = [plan for plan in plans if plan.name not in existing]
    made = {plan.name: Creation(plan.name, Done.EXISTS) for plan in plans}
    if missing:
        held_bytes = max((_number(state, _SIZE) or 0 for state in _states(admin, set(made)).values()), default=0)
        wanted = [
            NewTopic(plan.name, partitions, replication_factor, config=_limits(plan, held_bytes)) for plan in missing
        ]
        answers = admin.create_topics(
            wanted, operation_timeout=TIMEOUT_SECONDS, request_timeout=TIMEOUT_SECONDS, validate_only=dry_run
        )
        for name, answer in answers.items():
            made[name] = _creation(name, answer, Done.WOULD_CREATE if dry_run else Done.CREATED)
    return [made[plan.name] for plan in plans]


def _limits(plan: TopicPlan, held_bytes: int) -> dict[str, str]:
    if not plan.is_for_letters:
        return dict(plan.limits)
    return {**plan.limits, _SIZE: str(max(int(plan.limits[_SIZE]), _letter_bytes(held_bytes)))}


def _letter_bytes(record_bytes: int) -> int:
    return record_bytes + LETTER_HEADERS_MAX_BYTES + RECORD_OVERHEAD_BYTES


def _creation(name: str, answer: Any, success: Done) -> Creation:
    try:
        answer.result(TIMEOUT_SECONDS)
    except KafkaException as error:
        cause = _cause(error)
        if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return Creation(name, Done.EXISTS)
        return Creation(name, Done.REFUSED, cause.str())
    return Creation(name, success)


def check_topics(client: Mapping[str, Any], topics: Topics, between: Sequence[str]) -> list[Finding]:
    """What is wrong with the topics of a pipeline; `between` as `Pipeline.topics_between` gives it.

    Raises `Misconfigured` (options librdkafka refuses), `Unavailable(broker)`.
    """
    admin = _open(client)
    names = {plan.name for plan in topics.plans(between)}
    return judge(_states(admin, names), topics, between)


def judge(states: Mapping[str, TopicState], topics: Topics, between: Sequence[str]) -> list[Finding]:
    """Findings about these topics as they stand. Pure: asks nobody."""
    found: list[Finding] = []
    for plan in topics.plans(between):
        state = states.get(plan.name)
        if state is None:
            found.append(Finding(Level.ERROR, plan.name, f"missing ({plan.purpose})", "skustream topics create"))
            continue
        found += _judge_copies(plan.name, state)
        if state.unreadable:
            message = f"its configuration cannot be read: {state.unreadable}"
            found.append(Finding(Level.ERROR, plan.name, message, "grant DescribeConfigs on it, then check again"))
        else:
            found += _judge_config(plan, state)
    found += _judge_letters(states, topics, between)
    found += _judge_partitions(states, topics, between)
    return found


def _judge_copies(name: str, state: TopicState) -> list[Finding]:
    if state.copies == 1:
        way_out = "on a cluster of several brokers, recreate it with --replication-factor 3"
        return [Finding(Level.WARNING, name, "one copy of each record: losing its broker loses events", way_out)]
    in_sync = _number(state, _IN_SYNC)
    if in_sync is None:
        return []
    if in_sync > state.copies:
        message = f"{_IN_SYNC}={in_sync} is more than its {state.copies} copies: nothing can be written"
        return [Finding(Level.ERROR, name, message, _alter(name, _IN_SYNC, state.copies - 1))]
    if in_sync == state.copies:
        message = f"{_IN_SYNC}={in_sync} of {state.copies} copies: one broker's restart stops every write"
        return [Finding(Level.WARNING, name, message, _alter(name, _IN_SYNC, state.copies - 1))]
    if in_sync == 1 and state.copies > 1:
        message = f"{_IN_SYNC}=1 of {state.copies} copies: an acknowledged record may have one copy only"
        return [Finding(Level.WARNING, name, message, _alter(name, _IN_SYNC, 2))]
    return []


def _judge_config(plan: TopicPlan, state: TopicState) -> list[Finding]:
    found = []
    size, least_size = _number(state, _SIZE), int(plan.limits[_SIZE])
    if size is not None and size < least_size:
        message = f"{_SIZE}={size} is below {least_size}: records that skustream may write would be refused"
        found.append(Finding(Level.ERROR, plan.name, message, _alter(plan.name, _SIZE, least_size)))
    retention, least_retention = _number(state, _RETENTION), int(plan.limits[_RETENTION])
    if retention is not None and 0 <= retention < least_retention:
        message = f"{_RETENTION}={retention} is below {least_retention}: an outage that long would lose events"
        found.append(Finding(Level.WARNING, plan.name, message, _alter(plan.name, _RETENTION, least_retention)))
    policy = state.config.get(_POLICY, "delete")
    if policy != plan.limits[_POLICY]:
        message = f"{_POLICY}={policy}: compaction would lose every event but an SKU's last"
        found.append(Finding(Level.ERROR, plan.name, message, _alter(plan.name, _POLICY, plan.limits[_POLICY])))
    return found


def _judge_letters(states: Mapping[str, TopicState], topics: Topics, between: Sequence[str]) -> list[Finding]:
    """L6: whatever an input topic can hold must fit into a letter, with its headers."""
    letters = states.get(topics.dead_letter)
    size = None if letters is None else _number(letters, _SIZE)
    inputs = {name: _number(states[name], _SIZE) or 0 for name in (*topics.entries(), *between) if name in states}
    if size is None or not inputs:
        return []
    largest = max(inputs, key=lambda name: inputs[name])
    needed = _letter_bytes(inputs[largest])
    if size >= needed:
        return []
    message = (
        f"{_SIZE}={size} is below {needed}: {largest} holds records of up to {inputs[largest]} bytes, and their "
        "letters could not be written (L6)"
    )
    return [Finding(Level.ERROR, topics.dead_letter, message, _alter(topics.dead_letter, _SIZE, needed))]


def _judge_partitions(states: Mapping[str, TopicState], topics: Topics, between: Sequence[str]) -> list[Finding]:
    raw = states.get(topics.raw)
    if raw is None:
        return []
    way_out = "nothing to do, unless its stage cannot be spread over enough workers"
    return [
        Finding(
            Level.INFO, name, f"{states[name].partitions} partitions, but {topics.raw} has {raw.partitions}", way_out
        )
        for name in between
        if name in states and states[name].partitions != raw.partitions
    ]


def _alter(topic: str, name: str, value: object) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {name}={value}"


def _number(state: TopicState, name: str) -> int | None:
    text = state.config.get(name)
    return None if text is None else int(text)


def _open(client: Mapping[str, Any]) -> AdminClient:
    """The caller keeps it referenced: a dropped client loses the answers of its calls."""
    try:
        return AdminClient({**client}, logger=_CHATTER)
    except KafkaException as error:
        raise Misconfigured(f"kafka: {_cause(error).str()}") from None


def _existing(admin: AdminClient) -> dict[str, Any]:
    return dict(_asked(lambda: admin.list_topics(timeout=TIMEOUT_SECONDS)).topics)


def _states(admin: AdminClient, names: set[str]) -> dict[str, TopicState]:
    existing = {name: topic for name, topic in _existing(admin).items() if name in names}
    if not existing:
        return {}
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in existing]
    answers = {resource.name: answer for resource, answer in admin.describe_configs(resources).items()}
    return {name: _state(topic, answers[name]) for name, topic in existing.items()}


def _state(topic: Any, answer: Any) -> TopicState:
    partitions = topic.partitions.values()
    copies = min((len(partition.replicas) for partition in partitions), default=0)
    try:
        entries = answer.result(TIMEOUT_SECONDS)
    except KafkaException as error:
        return TopicState(len(partitions), copies, unreadable=_cause(error).str())
    config = {name: entry.value for name, entry in entries.items() if entry.value is not None}
    return TopicState(len(partitions), copies, config)


def _asked(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except KafkaException as error:
        raise Unavailable(Resource.BROKER, f"Kafka does not answer: {_cause(error).str()}") from None


def _cause(error: KafkaException) -> KafkaError:
    cause = error.args[0]
    assert isinstance(cause, KafkaError)  # noqa: S101 - the client's promise
    return cause

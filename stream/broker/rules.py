"""What topics must be like, so that no law breaks. Pure: asks nobody, and judges states that `admin` has read.

Comes in: the plans of `Topics`, and the topics as they stand. Goes out: findings with a way out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stream.topics import TopicPlan, Topics, letter_bytes_of, retry_bytes_of

SIZE, _RETENTION, _POLICY, _IN_SYNC = "max.message.bytes", "retention.ms", "cleanup.policy", "min.insync.replicas"
_TIMES = "message.timestamp.type"
_LOSSES = {
    "delete": "compaction would lose every event but an SKU's last",
    "compact": "marks would be lost with their age, and their letters replayed again",
}


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
    is_hidden: bool = False
    """This user may not even see whether it is there; nothing else is known."""


def judge(states: Mapping[str, TopicState], topics: Topics, between: Sequence[str]) -> list[Finding]:
    """Findings about these topics as they stand. Pure: asks nobody."""
    found: list[Finding] = []
    for plan in topics.plans(between):
        state = states.get(plan.name)
        if state is None:
            found.append(Finding(Level.ERROR, plan.name, f"missing ({plan.purpose})", "skustream topics create"))
            continue
        if state.is_hidden:
            way_out = "grant Describe and DescribeConfigs on it, then check again"
            found.append(Finding(Level.ERROR, plan.name, "this user may not see whether it exists", way_out))
            continue
        found += _judge_copies(plan.name, state)
        if state.unreadable:
            message = f"its configuration cannot be read: {state.unreadable}"
            found.append(Finding(Level.ERROR, plan.name, message, "grant DescribeConfigs on it, then check again"))
        else:
            found += _judge_config(plan, state)
    seen = {name: state for name, state in states.items() if not state.is_hidden}
    found += _judge_retries(seen, topics, between)
    found += _judge_letters(seen, topics, between)
    found += _judge_partitions(seen, topics, between)
    return found


def _judge_copies(name: str, state: TopicState) -> list[Finding]:
    if state.copies == 1:
        way_out = "on a cluster of several brokers, recreate it with --replication-factor 3"
        return [Finding(Level.WARNING, name, "one copy of each record: losing its broker loses events", way_out)]
    in_sync = number_of(state, _IN_SYNC)
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
    size, least_size = number_of(state, SIZE), int(plan.limits[SIZE])
    if size is not None and size < least_size:
        message = f"{SIZE}={size} is below {least_size}: records that skustream may write would be refused"
        found.append(Finding(Level.ERROR, plan.name, message, _alter(plan.name, SIZE, least_size)))
    retention, least_retention = number_of(state, _RETENTION), int(plan.limits.get(_RETENTION, 0))
    if retention is not None and 0 <= retention < least_retention:
        message = f"{_RETENTION}={retention} is below {least_retention}: an outage that long would lose events"
        found.append(Finding(Level.WARNING, plan.name, message, _alter(plan.name, _RETENTION, least_retention)))
    times = plan.limits.get(_TIMES)
    if times is not None and state.config.get(_TIMES, times) != times:
        message = (
            f"{_TIMES}={state.config[_TIMES]}: the PIM's clock decides an event's age, and order across partitions"
        )
        found.append(Finding(Level.WARNING, plan.name, message, _alter(plan.name, _TIMES, times)))
    policy = state.config.get(_POLICY, "delete")
    if policy != plan.limits[_POLICY]:
        message = f"{_POLICY}={policy}: {_LOSSES[plan.limits[_POLICY]]}"
        found.append(Finding(Level.ERROR, plan.name, message, _alter(plan.name, _POLICY, plan.limits[_POLICY])))
    return found


def _judge_retries(states: Mapping[str, TopicState], topics: Topics, between: Sequence[str]) -> list[Finding]:
    """Whatever an input topic can hold must fit into each retry topic, with its note: else its lane waits for ever."""
    inputs, end = (*topics.entries(), *between), "and their retries could not be written"
    return [each for name in topics.retries() for each in _judge_room(states, name, inputs, retry_bytes_of, end)]


def _judge_letters(states: Mapping[str, TopicState], topics: Topics, between: Sequence[str]) -> list[Finding]:
    """L6: whatever an input topic can hold, or a retry topic, must fit into a letter, with its headers."""
    inputs = (*topics.entries(), *between, *topics.retries())
    end = "and their letters could not be written (L6)"
    return _judge_room(states, topics.dead_letter, inputs, letter_bytes_of, end)


def _judge_room(
    states: Mapping[str, TopicState], name: str, inputs: Sequence[str], need: Callable[[int], int], end: str
) -> list[Finding]:
    size = number_of(states[name], SIZE) if name in states else None
    held = {each: number_of(states[each], SIZE) or 0 for each in inputs if each in states}
    if size is None or not held:
        return []
    largest = max(held, key=lambda each: held[each])
    needed = need(held[largest])
    if size >= needed:
        return []
    message = f"{SIZE}={size} is below {needed}: {largest} holds records of up to {held[largest]} bytes, {end}"
    return [Finding(Level.ERROR, name, message, _alter(name, SIZE, needed))]


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


def number_of(state: TopicState, name: str) -> int | None:
    """A configuration as a number; None where it is not known."""
    text = state.config.get(name)
    return None if text is None else int(text)

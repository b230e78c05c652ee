"""Who may do what with Kafka, and no more: the rights of each role, from the map and the addresses. Pure data.

Comes in: pipeline, topics, stages. Goes out: grants, each with the command that gives it. docs/security.md, `skustream
topics acls`, `skustream check`, a worker's start and the tests all read them here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from stream.pipeline import Pipeline
from stream.retries import AT_ONCE
from stream.topics import Topics


class Role(StrEnum):
    """Who uses Kafka, each best with a user of its own."""

    WORKER = "worker"
    """`skustream run`, and `check` in its name."""
    TOPICS = "topics"
    """`skustream topics create` and `topics check`."""
    PIM = "pim"
    """Publishes raw-image events."""
    SUBMIT = "submit"
    """`skustream submit`."""
    READER = "reader"
    """`skustream status`, `explain`, `dlq list`, `show`, `stats`, `export`, `watch`; the console that only shows."""
    OPERATOR = "operator"
    """What a reader does, `skustream dlq replay` and `discard`, and the console with `--allow-replay`."""


class Kind(StrEnum):
    """What a right is about, by the option of kafka-acls.sh."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations (Kafka's names) on one resource; `is_prefix`: on all whose names begin so."""

    kind: Kind
    name: str
    operations: tuple[str, ...]
    is_prefix: bool = False

    def command(self, principal: str) -> str:
        """What an administrator types, without how to reach the broker."""
        words = " ".join(f"--operation {operation}" for operation in self.operations)
        pattern = " --resource-pattern-type prefixed" if self.is_prefix else ""
        return f"kafka-acls.sh --add --allow-principal {principal} {words} --{self.kind} {self.name}{pattern}"


def grants(role: Role, topics: Topics, pipeline: Pipeline, stages: Collection[str] | None = None) -> list[Grant]:
    """The least that `role` needs. `stages`: of a worker that runs only these.

    Read and Write bring Describe with them, and Write on a topic what an idempotent producer needs.
    """
    if role is Role.WORKER:
        return _worker(topics, pipeline, stages)
    names = [plan.name for plan in topics.plans(pipeline.topics_between(topics))]
    entries, ends = topics.entries(), (topics.completed, topics.dead_letter)
    if role is Role.TOPICS:
        return _on(names, "Create", "Describe", "DescribeConfigs")
    if role is Role.PIM:
        return _on(entries, "Write")
    if role is Role.SUBMIT:
        return [*_on(entries, "Write"), *_on(ends, "Describe")]
    if role is Role.READER:
        return _on(names, "Read")
    written = {topics.retry(AT_ONCE), topics.replays}
    return [
        *(Grant(Kind.TOPIC, name, ("Read", "Write") if name in written else ("Read",)) for name in names),
        Grant(Kind.TRANSACTIONAL_ID, topics.operator, ("Write",)),
    ]


def _worker(topics: Topics, pipeline: Pipeline, stages: Collection[str] | None) -> list[Grant]:
    chosen = [stage.name for stage in pipeline.stages if stages is None or stage.name in stages]
    reads = {name for stage in chosen for name in pipeline.reads(stage, topics)}
    between = pipeline.topics_between(topics)
    ends = {*topics.retries(), topics.completed, topics.dead_letter}
    first = min((pipeline.index(stage) for stage in chosen), default=len(between))
    writes = {*between[first:], *ends}  # nobody hands anything back
    rows = []
    for plan in topics.plans(between):
        uses = [*(["Read"] if plan.name in reads else []), *(["Write"] if plan.name in writes else [])]
        # `check` looks at the limits of all of them; a worker itself does not.
        rows.append(Grant(Kind.TOPIC, plan.name, (*(uses or ["Describe"]), "DescribeConfigs")))
    rows += [Grant(Kind.GROUP, topics.group(stage), ("Read",)) for stage in chosen]
    ids = [Grant(Kind.TRANSACTIONAL_ID, f"{topics.group(stage)}.", ("Write",), is_prefix=True) for stage in chosen]
    return rows + ids


def _on(names: Collection[str], *operations: str) -> list[Grant]:
    return [Grant(Kind.TOPIC, name, operations) for name in names]

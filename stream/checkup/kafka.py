"""Kafka, asked: does it answer, are the topics and their limits right, may this user do what a worker does.

Comes in: settings and the pipeline. Goes out: findings. Blocking, as the admin client is: called in a thread.
"""

from stream.broker import admin, rules
from stream.broker.rights import Needs, check_rights
from stream.checkup.findings import Area, Finding, Mark
from stream.core.deadline import Deadline
from stream.pipeline import Pipeline
from stream.settings import Delivery, Settings
from stream.topics import Topics

SHORTEST_SECONDS = 0.5
"""What is left for a question when the ones before it took all the time."""
MARKS = {
    rules.Level.ERROR: Mark.ERROR,
    rules.Level.WARNING: Mark.WARNING,
    rules.Level.INFO: Mark.INFO,
}


def check_kafka(settings: Settings, pipeline: Pipeline | None, deadline: Deadline) -> list[Finding]:
    """Without a pipeline (its file is wrong) only the topics that every pipeline has. Raises `Unavailable(broker)`."""
    client, topics = settings.kafka_client(), Topics(settings.topic_prefix)
    between = [] if pipeline is None else pipeline.topics_between(topics)
    groups = [] if pipeline is None else [topics.group(stage.name) for stage in pipeline.stages]

    brokers = admin.count_brokers(client, timeout_seconds=_left(deadline))
    answer = f"{settings.kafka_bootstrap_servers} answers: {brokers} broker{'' if brokers == 1 else 's'}"
    found = [Finding(Mark.OK, Area.KAFKA, answer)]
    judged = admin.check_topics(client, topics, between, timeout_seconds=_left(deadline))
    if not judged:
        found.append(Finding(Mark.OK, Area.KAFKA, f"{len(topics.plans(between))} topics in order"))
    needs = Needs(
        reads=[*topics.entries(), *between, *topics.retries()],
        writes=[*between, *topics.retries(), topics.completed, topics.dead_letter],
        groups=groups,
        writes_in_transactions=settings.delivery is Delivery.EXACTLY_ONCE,
        id_prefix=f"{settings.topic_prefix}.",
    )
    judged += check_rights(client, needs, timeout_seconds=_left(deadline))
    return found + [_finding(each) for each in judged]


def _left(deadline: Deadline) -> float:
    return max(deadline.remaining_seconds(), SHORTEST_SECONDS)


def _finding(judged: rules.Finding) -> Finding:
    return Finding(MARKS[judged.level], Area.KAFKA, f"{judged.topic}: {judged.message}", judged.way_out)

"""Kafka, asked: does it answer, are the topics and their limits right, may this user do what a worker does.

Comes in: settings and the pipeline. Goes out: findings. Blocking, as the admin client is: called in a thread.
"""

from collections.abc import Container, Sequence

from stream.broker import admin, rules
from stream.broker.embedded import is_embedded
from stream.broker.refusals import meet
from stream.broker.rights import ask_rights, check_rights
from stream.checkup.findings import Area, Finding, Mark
from stream.core.deadline import Deadline
from stream.pipeline import Pipeline
from stream.roles import Grant, Kind, Role, grants
from stream.settings import Delivery, Settings
from stream.topics import Topics

SHORTEST_SECONDS = 0.5
"""What is left for a question when the ones before it took all the time."""
MARKS = {
    rules.Level.ERROR: Mark.ERROR,
    rules.Level.WARNING: Mark.WARNING,
    rules.Level.INFO: Mark.INFO,
}


def check_kafka(settings: Settings, pipeline: Pipeline | None, role: Role, deadline: Deadline) -> list[Finding]:
    """Topics, and what `role` must be allowed. Without a pipeline (its file is wrong) only the topics that all have.

    Raises `Unavailable(broker)`.
    """
    client, topics = settings.kafka_client(), Topics(settings.topic_prefix)
    between = [] if pipeline is None else pipeline.topics_between(topics)

    cluster = meet(client, timeout_seconds=_left(deadline))
    brokers = len(cluster.brokers)
    answer = f"{settings.kafka_bootstrap_servers} answers: {brokers} broker{'' if brokers == 1 else 's'}"
    found = [Finding(Mark.OK, Area.KAFKA, answer)]
    if is_embedded(cluster.cluster_id):
        return [*found, *_embedded([plan.name for plan in topics.plans(between)], cluster.topics)]
    judged = admin.check_topics(client, topics, between, timeout_seconds=_left(deadline))
    if not judged:
        found.append(Finding(Mark.OK, Area.KAFKA, f"{len(topics.plans(between))} topics in order"))
    if pipeline is not None:
        needs = _needed(settings, role, topics, pipeline)
        rights = check_rights(client, needs, timeout_seconds=_left(deadline))
        judged += rights
        if not rights:
            found.append(Finding(Mark.OK, Area.KAFKA, f"this user has every right of a {role} ({len(needs)} asked)"))
        if role is Role.WORKER and not rights:
            found += _may_not_replay(settings, topics, pipeline, deadline)
    return found + [_finding(each) for each in judged]


def _embedded(names: Sequence[str], there: Container[str]) -> list[Finding]:
    """The demo's broker would leave every question about limits and rights unanswered: it is asked for topics only."""
    what = (
        "this is the broker inside librdkafka, for the demo: it tells no limits and no rights, and forgets everything"
    )
    found = [Finding(Mark.INFO, Area.KAFKA, what, "for anything that counts: Apache Kafka")]
    missing = [name for name in names if name not in there]
    if missing:
        return [
            *found,
            Finding(Mark.ERROR, Area.KAFKA, f"missing: {', '.join(missing)}", "skustream demo makes its own"),
        ]
    return [*found, Finding(Mark.OK, Area.KAFKA, f"{len(names)} topics are there")]


def _needed(settings: Settings, role: Role, topics: Topics, pipeline: Pipeline) -> list[Grant]:
    """Without transactions (at-least-once) nobody needs an id for them."""
    is_atomic = settings.delivery is Delivery.EXACTLY_ONCE
    return [each for each in grants(role, topics, pipeline) if is_atomic or each.kind is not Kind.TRANSACTIONAL_ID]


def _may_not_replay(settings: Settings, topics: Topics, pipeline: Pipeline, deadline: Deadline) -> list[Finding]:
    """Good to know, and as it should be: letters are put back by another user than the worker's."""
    needs = _needed(settings, Role.OPERATOR, topics, pipeline)
    told = ask_rights(settings.kafka_client(), needs, timeout_seconds=_left(deadline), patience_seconds=0)
    if not told.missing:
        return []
    names = ", ".join(dict.fromkeys(each.name for each in told.missing))
    what = f"this user may not replay or discard letters (no right, or not every one, on {names})"
    return [Finding(Mark.INFO, Area.KAFKA, what, "nothing to do, unless it should: skustream check --role operator")]


def _left(deadline: Deadline) -> float:
    return max(deadline.remaining_seconds(), SHORTEST_SECONDS)


def _finding(judged: rules.Finding) -> Finding:
    return Finding(MARKS[judged.level], Area.KAFKA, f"{judged.topic}: {judged.message}", judged.way_out)

"""The check-up of the demo's broker, which tells neither limits nor rights: said at once, instead of asked in vain."""

import pytest

from stream.broker.embedded import EmbeddedBroker
from stream.checkup.examine import Scope, examine
from stream.checkup.findings import Area, Finding, Mark
from stream.pipeline import default_pipeline
from stream.settings import Settings
from stream.topics import Topics

TOPICS = Topics()
PLANS = [plan.name for plan in TOPICS.plans(default_pipeline().topics_between(TOPICS))]


async def told(broker: EmbeddedBroker) -> list[Finding]:
    settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
    return [each for each in await examine(settings, Scope(part_seconds=60)) if each.area is Area.KAFKA]


@pytest.mark.parametrize("missing", [0, 1])
async def test_the_demos_broker_is_known_and_asked_for_its_topics_only(missing: int) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(PLANS[missing:])
        answers, known, topics = await told(broker)
    assert answers.mark is Mark.OK
    assert "inside librdkafka" in known.what
    assert topics.mark is (Mark.ERROR if missing else Mark.OK)
    assert (PLANS[0] in topics.what) is bool(missing)

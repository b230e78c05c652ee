"""Once with everything real: an alarm goes the whole way to a pager and back, and no panel of a board is dead.

One evening for both: an account without credits, then load with faults; workers on a real Kafka and a real S3.
"""

import html
import json
import math
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.boards.drawing import page
from tests.boards.grafana import Moment, Prometheus, panels, questions, words_of
from tests.boards.paper import GRAFANA
from tests.composed.plant import STAGES, Plant
from tests.oncall.rules import RUNBOOK
from tests.oncall.scene import JOBS, OUT_OF_CREDITS, PATIENCE_SECONDS, Scene, open_scene
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.prometheus import SCRAPE_SECONDS, ask
from tests.services.s3 import S3Server

# Most of an evening passes before the first test of it begins.
pytestmark = [pytest.mark.kafka, pytest.mark.s3, pytest.mark.timeout(600)]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
EVERY_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
SOONEST_SECONDS = 60.0
"""The shortest `for` of the others: after it, on a busy machine, they are right to ring, too."""
CHOICES: dict[str, dict[str, list[str]]] = {
    "everything": {},
    "all named": {"namespace": ["shop"], "job": [JOBS[0]], "pod": ["worker-1", "worker-2"], "stage": [*STAGES]},
    "outside Kubernetes": {"job": [JOBS[1]]},
}


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, s3: S3Server, kafka: KafkaCluster | ExistingKafka, watchers: None
) -> Iterator[Scene]:
    """The evening, told to its end."""
    folder = tmp_path_factory.mktemp("scene")
    plant = Plant(kafka, s3, folder, f"scene{secrets.token_hex(5)}")
    try:
        with open_scene(plant, folder) as told:
            yield told
    except TimeoutError as late:
        raise AssertionError(f"{late}\n{plant.diary()}") from late
    finally:
        plant.close()


def moment(scene: Scene) -> Moment:
    return Moment(scene.began, scene.ended, SCRAPE_SECONDS)


def is_alive(answer: list[dict[str, Any]]) -> bool:
    """Whether anything but NaN was answered."""
    found = [value for each in answer for _, value in each.get("values", [each.get("value")])]
    return any(not math.isnan(float(value)) for value in found)


def test_an_account_without_credits_wakes_somebody_and_lets_them_sleep_again(scene: Scene) -> None:
    told = [each for each in scene.first_alert if each["labels"]["alertname"] == OUT_OF_CREDITS]
    assert {each["status"] for each in told} == {"firing", "resolved"}
    assert {each["labels"]["severity"] for each in told} == {"critical"}
    (page,) = {each["annotations"]["runbook_url"] for each in told}
    assert (RUNBOOK.parents[1] / page).exists()
    others = {each["labels"]["alertname"] for each in scene.first_alert} - {OUT_OF_CREDITS}
    assert not others or scene.first_seconds >= SOONEST_SECONDS, others


def test_every_rule_is_well_after_such_an_evening(scene: Scene) -> None:
    rules = [rule for group in ask(scene.prometheus, "/api/v1/rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]


@EVERY_BOARD
@pytest.mark.parametrize("chosen", CHOICES.values(), ids=CHOICES)
def test_every_query_of_every_panel_has_an_answer(
    scene: Scene, board: dict[str, Any], chosen: dict[str, list[str]]
) -> None:
    """An error is a broken panel; no series, or nothing but NaN, a dead one.

    What comes with a client's next statistics, or the next scrape, is waited for: the workers still run.
    """
    prometheus, dead = Prometheus(scene.prometheus), [("not asked yet", "")]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while dead and time.monotonic() < deadline:
        now = Moment(scene.began, max(scene.ended, time.time()), SCRAPE_SECONDS)
        asked = list(questions(board, {**now.words(), **words_of(board, chosen)}))
        assert len(asked) >= len(panels(board))
        dead = [(each.panel, each.expr) for each in asked if not is_alive(prometheus.ask(each, now))]
        time.sleep(SCRAPE_SECONDS if dead else 0)
    assert dead == []


@EVERY_BOARD
def test_every_variable_offers_what_is_there(scene: Scene, board: dict[str, Any]) -> None:
    now, prometheus = moment(scene), Prometheus(scene.prometheus)
    words = words_of(board, {})
    there = {"namespace": ["shop"], "job": [*JOBS], "pod": ["worker-1", "worker-2"], "stage": [*STAGES]}
    offered = {
        each["name"]: prometheus.values(each["definition"], words, now)
        for each in board["templating"]["list"]
        if each["type"] == "query"
    }
    assert offered == {name: sorted(there[name]) for name in offered}
    assert offered.keys() >= {"namespace", "job", "pod"}


def test_a_broken_and_a_dead_query_are_found(scene: Scene) -> None:
    """The checks can fail."""
    now, prometheus = moment(scene), Prometheus(scene.prometheus)
    query, *_ = questions(BOARDS["skustream-pipeline"], {**now.words(), **words_of(BOARDS["skustream-pipeline"], {})})
    with pytest.raises(ValueError, match="parse error"):
        prometheus.ask(query.saying("sum(rate(skustream_lag_records))["), now)
    assert not is_alive(prometheus.ask(query.saying("skustream_no_such_metric"), now))
    assert not is_alive(prometheus.ask(query.saying("vector(0) / vector(0)"), now))


@EVERY_BOARD
def test_a_board_can_be_drawn_for_the_docs(scene: Scene, board: dict[str, Any]) -> None:
    now, prometheus = moment(scene), Prometheus(scene.prometheus)
    asked = list(questions(board, {**now.words(), **words_of(board, {})}))
    drawn = page(board, lambda each: prometheus.ask(each, now), asked, now, rows=99)
    assert [panel["title"] for panel in board["panels"] if html.escape(panel["title"]) not in drawn] == []
    assert "nan" not in "".join(re.findall(r'(?:points|x|y|width|height)="[^"]*"', drawn))

"""Useful workers: what the lag needs, never more than the contract's shares can keep busy, and nobody in vain."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.broker.port import Partition
from stream.core.errors import Resource
from stream.metrics.catalogue import Known
from stream.metrics.prometheus import PrometheusRecorder, series
from stream.pipeline import default_pipeline
from stream.quota.memory import MemoryQuota
from stream.quota.window import Contract
from stream.runtime.environment import Environment
from stream.runtime.process import Crew
from stream.runtime.replicas import HOLD_SECONDS, Replicas, Share, useful
from stream.topics import Topics
from tests.unit.runtime.scene import WoundClock

PIPELINE, TOPICS = default_pipeline(), Topics()
STAGES = [stage.name for stage in PIPELINE.stages]
HUGE = 1_000_000


class Scene:
    """Crews of which only lag and reasons are asked; limiter, environment and recorder are the real ones."""

    def __init__(self, stages: list[str], share: Share) -> None:
        self.clock = WoundClock()
        self.recorder = PrometheusRecorder(Known.of(PIPELINE, TOPICS, stages), self.clock)
        self.environment = Environment(self.clock, self.recorder)
        self.quota = MemoryQuota(
            Contract(share.contract_requests, share.window_seconds), clock=self.clock, recorder=self.recorder
        )
        self.lags: dict[str, Mapping[Partition, int]] = {}
        self.stopped: dict[str, list[str]] = {}
        self.replicas = Replicas(
            [self._crew(stage) for stage in stages], PIPELINE, TOPICS, share,
            environment=self.environment, quota=self.quota, recorder=self.recorder,
        )  # fmt: skip

    def _crew(self, stage: str) -> Crew:
        scene = self

        class Station:
            @property
            def lags(self) -> Mapping[Partition, int]:
                return scene.lags.get(stage, {})

        worker = SimpleNamespace(reasons=lambda: self.stopped.get(stage, []))
        return cast("Crew", SimpleNamespace(stage=stage, station=Station(), worker=worker))

    def lag(self, stage: str, *records: int, topic: str = "") -> None:
        """The lag of the stage's partitions."""
        own = topic or PIPELINE.input_topics(stage, TOPICS)[0]
        self.lags[stage] = {Partition(own, number): lag for number, lag in enumerate(records)}

    def told(self) -> dict[str, float]:
        """By stage, as shown."""
        self.replicas.report()
        return {
            dict(labels)["stage"]: value
            for (name, labels), value in series(self.recorder).items()
            if name == "skustream_useful_replicas"
        }


QUARTER = Share(15, 60, 60.0)
"""Of 60 requests a minute 15: five jobs a minute."""


def test_no_lag_needs_nobody() -> None:
    assert Scene(STAGES, QUARTER).told() == dict.fromkeys(STAGES, 0.0)


def test_a_backlog_that_one_can_work_off_in_time_needs_one() -> None:
    """75 jobs are what a quarter of the contract does in a quarter of an hour."""
    scene = Scene(["upscale"], QUARTER)
    scene.lag("upscale", 25, 50)
    assert scene.told() == {"upscale": pytest.approx(1.0)}


def test_who_has_the_whole_contract_needs_nobody_else_whatever_the_lag() -> None:
    scene = Scene(["upscale"], Share(60, 60, 60.0))
    scene.lag("upscale", *[HUGE] * 12)
    assert scene.told() == {"upscale": 1.0}


def test_no_lag_asks_for_more_workers_than_there_are_shares() -> None:
    scene = Scene(["upscale"], QUARTER)
    scene.lag("upscale", *[HUGE] * 12)
    assert scene.told() == {"upscale": 4.0}


def test_a_hot_partition_has_work_for_one_worker_only() -> None:
    scene = Scene(["upscale"], QUARTER)
    scene.lag("upscale", HUGE, 0, 0)
    assert scene.told() == {"upscale": 1.0}


def test_what_waits_in_a_retry_topic_is_not_due() -> None:
    scene = Scene(["upscale"], QUARTER)
    scene.lag("upscale", HUGE, HUGE, topic=TOPICS.retries()[0])
    assert scene.told() == {"upscale": 0.0}


def test_an_event_counts_with_the_jobs_that_are_still_ahead_of_it() -> None:
    """Stages in whatever order they were named."""
    raw, later = Scene(STAGES[::-1], QUARTER), Scene(STAGES, QUARTER)
    raw.lag("remove-bg", 10, 10)
    later.lag("lifestyle", 10, 10)
    assert raw.told()["remove-bg"] == pytest.approx((20 * 3 * 12 + 20 * 0.5) / 900)
    assert later.told()["lifestyle"] == pytest.approx((20 * 12 + 20 * 0.5) / 900)


def test_a_stage_that_buys_nothing_is_measured_by_its_work() -> None:
    scene = Scene(["thumbnails"], Share(6, 300, 60.0))
    scene.lag("thumbnails", 900, 900, 900)
    assert scene.told() == {"thumbnails": pytest.approx(1.5)}


def test_after_a_429_nobody_is_added_for_a_while() -> None:
    scene = Scene(["upscale"], QUARTER)
    scene.lag("upscale", *[HUGE] * 12)
    scene.quota.throttle(1.0)
    assert scene.told() == {"upscale": 1.0}
    scene.clock.now += HOLD_SECONDS
    assert scene.told() == {"upscale": 4.0}


def test_a_429_says_nothing_about_a_stage_that_buys_nothing() -> None:
    scene = Scene(["thumbnails"], Share(6, 300, 60.0))
    scene.lag("thumbnails", *[HUGE] * 3)
    scene.quota.throttle(1.0)
    assert scene.told() == {"thumbnails": 3.0}


def test_in_an_outage_a_process_counts_itself_at_most() -> None:
    scene = Scene(STAGES, QUARTER)
    for stage in STAGES:
        scene.lag(stage, *[HUGE] * 12)
    scene.environment.lacking(Resource.API_CREDITS, "402", None)
    assert sum(scene.told().values()) == pytest.approx(1.0)
    scene.environment.recovered(Resource.API_CREDITS)
    assert sum(scene.told().values()) > 1


def test_a_stopped_stage_asks_for_nobody_and_the_others_go_on() -> None:
    scene = Scene(["remove-bg", "upscale"], QUARTER)
    scene.lag("remove-bg", *[HUGE] * 12)
    scene.lag("upscale", *[HUGE] * 12)
    scene.stopped["upscale"] = ["stopped: too many letters"]
    assert scene.told() == {"remove-bg": 4.0, "upscale": 0.5}


@given(
    lags=st.lists(st.integers(0, 5000), max_size=24),
    owners=st.lists(st.integers(0, 4), min_size=24, max_size=24),
    most=st.integers(1, 8),
)
def test_the_sum_over_a_fleet_is_what_one_would_say_who_saw_everything(
    lags: list[int], owners: list[int], most: int
) -> None:
    """However partitions are spread: cut at the number of shares, nothing is lost by looking at a part only."""
    parts = [
        useful([lag for lag, of in zip(lags, owners, strict=False) if of == owner], 12, most) for owner in range(5)
    ]
    assert min(sum(parts), most) == pytest.approx(min(useful(lags, 12, len(lags)), most))

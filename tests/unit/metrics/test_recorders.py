"""Every recorder takes every verb; the Prometheus one shows it, and had its series from the start."""

import inspect
import math
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.core.clock import SystemClock
from stream.core.errors import Reason, Resource
from stream.events import Priority
from stream.metrics.catalogue import BUILD, CATALOGUE, CLOSED, EVENT_AGE, LAG, PREFIX, Kind, Known
from stream.metrics.port import Recorder
from stream.metrics.prometheus import PrometheusRecorder, series
from stream.metrics.silent import SilentRecorder
from stream.outcome import OutcomeKind
from stream.pipeline import default_pipeline
from stream.quota.port import AskKind
from stream.topics import Topics

STAGES = ("remove-bg", "upscale", "lifestyle", "thumbnails")
VERBS = [name for name, _ in inspect.getmembers(Recorder, inspect.isfunction) if not name.startswith("_")]
VALUES: dict[Any, Any] = {
    str: "remove-bg", int: 3, float: 1.5, Decimal: Decimal("2.5"), bool: True, float | None: None, int | None: None,
}  # fmt: skip


def _prometheus() -> PrometheusRecorder:
    return PrometheusRecorder(Known.of(default_pipeline(), Topics()), SystemClock())


@pytest.fixture(params=[SilentRecorder, _prometheus], ids=["silent", "prometheus"])
def recorder(request: pytest.FixtureRequest) -> Recorder:
    made: Recorder = request.param()
    return made


@pytest.mark.parametrize("verb", VERBS)
def test_every_recorder_accepts_every_verb(recorder: Recorder, verb: str) -> None:
    method = getattr(recorder, verb)
    hints = {name: hint for name, hint in get_type_hints(getattr(Recorder, verb)).items() if name != "return"}
    assert method(**{name: VALUES[hint] for name, hint in hints.items()}) is None


def test_every_verb_is_seen_on_the_page() -> None:
    """A verb that changes no series would be an observation nobody can make."""
    shown = _prometheus()
    after = series(shown)
    for verb in VERBS:
        before = after
        hints = {name: hint for name, hint in get_type_hints(getattr(Recorder, verb)).items() if name != "return"}
        given = {name: 7 if hint in (float | None, int | None) else VALUES[hint] for name, hint in hints.items()}
        getattr(shown, verb)(**given)
        after = series(shown)
        changed = {key for key, value in after.items() if repr(before.get(key)) != repr(value)}  # NaN is not NaN
        assert any(name.startswith(PREFIX) for name, _ in changed), verb


def test_counters_count_what_they_say() -> None:
    shown = _prometheus()
    shown.finished("upscale", "completed", "live", 12.0)
    shown.credited("upscale", "spent", Decimal("49.5"))
    shown.job_ended("upscale", "completed", 15.0, 2)
    now = series(shown)
    ended = (("outcome", "completed"), ("priority", "live"), ("stage", "upscale"))
    assert now["skustream_events_finished_total", ended] == 1
    assert now["skustream_credits_total", (("cause", "spent"), ("operation", "upscale"))] == 49.5
    bucket = (("le", "15.0"), ("operation", "upscale"), ("state", "completed"))
    assert now["skustream_job_seconds_bucket", bucket] == 1
    assert now["skustream_job_polls_sum", (("operation", "upscale"),)] == 2


def test_who_is_put_off_comes_back_and_is_aged_then() -> None:
    shown = _prometheus()
    shown.finished("upscale", "postponed", "live", 60.0)
    shown.finished("upscale", "dead-letter", "", 700.0)
    shown.finished("upscale", "completed", "replay", 800.0)
    now = series(shown)
    ages = {key[1][0][1]: value for key, value in now.items() if key[0] == "skustream_event_age_seconds_count"
            and ("stage", "upscale") in key[1]}  # fmt: skip
    assert ages == {"live": 0, "backfill": 0, "replay": 1, "other": 1}


def test_known_series_exist_before_anything_happened() -> None:
    now = series(_prometheus())
    for stage in STAGES:
        for reason in Reason:
            assert now["skustream_dead_letters_total", (("reason", reason.value), ("stage", stage))] == 0
        for outcome in (*OutcomeKind, "postponed", "dead-letter"):
            for priority in (*Priority, "other"):
                labels = (("outcome", str(outcome)), ("priority", str(priority)), ("stage", stage))
                assert now["skustream_events_finished_total", labels] == 0
    for resource in Resource:
        assert now["skustream_intake_paused", (("resource", resource.value),)] == 0
    received = {labels for name, labels in now if name == "skustream_events_received_total"}
    assert received == {
        (("stage", stage), ("topic", topic))
        for stage, topic in [
            ("remove-bg", "product-images.raw"),
            ("remove-bg", "product-images.raw.backfill"),
            ("upscale", "product-images.transparent"),
            ("lifestyle", "product-images.upscaled"),
            ("thumbnails", "product-images.lifestyle"),
            *((stage, topic) for stage in STAGES for topic in Topics().retries()),
        ]
    }
    assert ("skustream_job_seconds_count", (("operation", "thumbnails"), ("state", "failed"))) not in now


def test_a_process_of_one_stage_shows_no_series_of_the_others() -> None:
    known = Known.of(default_pipeline(), Topics(), ["upscale"])
    stages = {dict(labels).get("stage") for _, labels in series(PrometheusRecorder(known, SystemClock()))}
    assert stages == {None, "upscale"}


def test_a_value_outside_its_closed_set_makes_no_new_series() -> None:
    shown = _prometheus()
    assert ("skustream_api_request_seconds_count", (("code", "429"), ("request", "poll"))) in series(shown)
    for code in range(1000):
        shown.requested("upscale", str(code), 0.1)
        shown.requested(f"operation-{code}", "200", 0.1)
    page = series(shown)
    counts = {labels: value for (name, labels), value in page.items() if name == "skustream_api_request_seconds_count"}
    assert sum(counts.values()) == 2000
    assert counts[("code", "200"), ("request", "other")] == 1000
    assert {dict(labels)["code"] for labels in counts} == set(CLOSED["code"])


def test_a_balance_is_unknown_until_it_is_told_and_then_has_its_time() -> None:
    shown = _prometheus()
    assert math.isnan(series(shown)["skustream_balance_credits", ()])
    assert math.isnan(series(shown)["skustream_balance_timestamp_seconds", ()])
    before = SystemClock().wall()
    shown.balance(Decimal("299987.5"))
    assert series(shown)["skustream_balance_credits", ()] == 299_987.5
    assert before <= series(shown)["skustream_balance_timestamp_seconds", ()] <= SystemClock().wall()


def test_a_partition_that_left_has_no_lag_any_more() -> None:
    shown = _prometheus()
    own = Topics().asset("transparent")
    key = ("skustream_lag_records", (("partition", "3"), ("stage", "upscale"), ("topic", own)))
    shown.lag("upscale", own, 3, 17)
    assert series(shown)[key] == 17
    shown.lag("upscale", own, 3, None)
    assert key not in series(shown)


def test_no_open_ticket_has_no_age() -> None:
    shown = _prometheus()
    key = ("skustream_oldest_open_timestamp_seconds", (("stage", "upscale"),))
    assert math.isnan(series(shown)[key])
    shown.oldest_open("upscale", 1_700_000_000.0)
    assert series(shown)[key] == 1_700_000_000.0
    shown.oldest_open("upscale", None)
    assert math.isnan(series(shown)[key])


def test_the_page_is_what_the_catalogue_says() -> None:
    page, content_type = _prometheus().exposition()
    assert content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(page.decode())}
    for metric in CATALOGUE:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind.value, metric.help)
    assert not any(name.endswith("_created") for name in families)
    assert "process_resident_memory_bytes" in families


UNITS = ("_seconds", "_bytes", "_ratio", "_info", "_records", "_requests", "_jobs", "_polls", "_credits", "_replicas")
STATES = ("_in_flight", "_paused", "_stopped")
"""A gauge that counts what is in a state now, or says whether one holds."""


class TestCatalogue:
    def test_names_end_in_a_unit(self) -> None:
        for metric in CATALOGUE:
            if metric.kind is Kind.COUNTER:
                assert metric.name.endswith("_total")
                assert "seconds" not in metric.name, "a histogram counts times"
            else:
                assert metric.name.endswith((*UNITS, *STATES)), metric.name
            if metric.name.endswith("_seconds") and metric.kind is Kind.GAUGE:
                assert metric.name.endswith(("_timestamp_seconds", "_window_seconds")), "ages are computed in PromQL"
            assert metric.name.endswith("_info") == (metric is BUILD)

    def test_labels_are_closed_sets_and_no_ids(self) -> None:
        known = Known.of(default_pipeline(), Topics())
        for metric in CATALOGUE:
            for name, source in metric.labels:
                assert not {"id", "sku", "image", "url", "key", "batch", "job", "instance"} & set(name.split("_")), name
                assert source in known.values or metric is BUILD or (metric is LAG and name == "partition")

    def test_the_thresholds_of_the_alerts_are_boundaries(self) -> None:
        assert 900 in EVENT_AGE.buckets

    def test_every_label_set_exists_from_the_start(self) -> None:
        known = Known.of(default_pipeline(), Topics())
        page = series(PrometheusRecorder(known, SystemClock()))
        for metric in CATALOGUE:
            name = f"{metric.name}_count" if metric.kind is Kind.HISTOGRAM else metric.name
            shown = {tuple(sorted(labels)) for each, labels in page if each == name}
            wanted = [tuple(sorted(zip(metric.label_names, each, strict=True))) for each in known.label_sets(metric)]
            assert shown == set(wanted) or metric is BUILD
            assert shown or metric is LAG, "a partition's lag is there once the partition is"

    def test_names_follow_the_conventions(self) -> None:
        for metric in CATALOGUE:
            assert metric.name.startswith(PREFIX)
            assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
            assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets), metric.name
            assert list(metric.buckets) == sorted(set(metric.buckets))
            assert metric.help.endswith(".")
            assert metric.meaning.endswith(".")

    def test_names_are_unique(self) -> None:
        assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)

    def test_its_words_are_their_owners_words(self) -> None:
        assert set(CLOSED["kind"]) == set(AskKind)
        assert set(CLOSED["reason"]) == set(Reason)
        assert set(CLOSED["resource"]) == set(Resource)
        assert set(OutcomeKind) < set(CLOSED["outcome"])
        assert set(Priority) < set(CLOSED["priority"])

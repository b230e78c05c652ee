"""The map: one linted file, and every wish of an event checked against it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.core.errors import Misconfigured, Reason, Rejected
from stream.events import RawEvent, read_raw
from stream.pipeline import Pipeline, default_pipeline, load_pipeline, read_pipeline
from stream.topics import Topics

TOPICS = Topics()
REMOVE = {"name": "remove-bg", "operation": "remove-bg", "needs": "raw", "makes": "transparent"}
UPSCALE = {"name": "upscale", "operation": "upscale", "needs": "transparent", "makes": "upscaled"}


def pipeline(*stages: dict[str, Any]) -> Pipeline:
    return read_pipeline(yaml.safe_dump({"version": 1, "stages": list(stages)}), source="mine.yaml")


def event(**fields: Any) -> RawEvent:
    # The slow encoder: a PIM's may write numbers that ours does not.
    return read_raw(json.dumps({"sku_id": "A", "raw_url": "https://h/x.jpg", **fields}).encode())


def names(line: Pipeline, **fields: Any) -> list[str]:
    return [stage.name for stage in line.route(event(**fields))]


def test_the_shipped_pipeline_is_the_articles() -> None:
    line = default_pipeline()
    assert [(stage.name, stage.needs, stage.makes) for stage in line.stages] == [
        ("remove-bg", ("raw",), "transparent"),
        ("upscale", ("transparent",), "upscaled"),
        ("lifestyle", ("upscaled",), "lifestyle"),
        ("thumbnails", ("upscaled", "lifestyle"), "thumbnails"),
    ]
    assert [stage.local for stage in line.stages] == [False, False, False, True]
    assert load_pipeline(None) == line


def test_each_stage_reads_what_the_one_before_it_makes() -> None:
    line = default_pipeline()
    assert line.input_topics("remove-bg", TOPICS) == ("product-images.raw", "product-images.raw.backfill")
    assert line.input_topics("thumbnails", TOPICS) == ("product-images.lifestyle",)
    assert line.topics_between(TOPICS) == [
        f"product-images.{name}" for name in ("transparent", "upscaled", "lifestyle")
    ]


def test_stages_may_be_reordered_dropped_and_repeated() -> None:
    first_up = pipeline({**UPSCALE, "needs": "raw"}, {**REMOVE, "needs": "upscaled"})
    assert [stage.name for stage in first_up.stages] == ["upscale", "remove-bg"]
    assert len(pipeline(REMOVE).stages) == 1
    twice = pipeline(REMOVE, UPSCALE, {**UPSCALE, "name": "upscale-more", "needs": "upscaled", "makes": "huge"})
    assert twice.index("upscale-more") == 2


@pytest.mark.parametrize(
    ("stages", "complaint"),
    [
        ([{**REMOVE, "operation": "remove_bg"}], "unknown operation 'remove_bg'; did you mean remove-bg?"),
        ([{**REMOVE, "operation": "paint"}], "unknown operation 'paint'; known: add-shadow, remove-bg"),
        ([{**REMOVE, "needs": "raw-photo"}], "needs 'raw-photo', which no earlier stage makes; known: raw"),
        ([UPSCALE, REMOVE], "stage upscale: needs 'transparent', which no earlier stage makes"),
        ([REMOVE, {**UPSCALE, "name": "remove-bg"}], "stage remove-bg: the name is used twice"),
        ([REMOVE, {**UPSCALE, "makes": "transparent"}], "makes 'transparent', which an earlier stage"),
        ([{**REMOVE, "makes": "raw"}], "makes 'raw', which an earlier stage (or the photo) already is"),
        ([{**REMOVE, "makes": "completed"}], "a name that skustream keeps for a topic of its own"),
        ([{**REMOVE, "makes": "dead-letter"}], "a name that skustream keeps for a topic of its own"),
        ([{**REMOVE, "needs": []}], "needs nothing"),
        ([REMOVE, {**UPSCALE, "needs": ["raw", "transparent"]}], "upscale works on one asset, but 2 are named"),
        (
            [REMOVE, {**UPSCALE, "params": {"scale": 3}}],
            "params.scale: wrong value, got 3, expected 2 or 4; upscale takes",
        ),
        ([REMOVE, {**UPSCALE, "params": {"size": 3}}], "params.size: unknown field"),
        ([{**REMOVE, "params": {"x": 1}}], "remove-bg takes no parameters"),
        ([{**REMOVE, "name": "Remove BG"}], "stages.0.name: wrong value, got 'Remove BG'"),
        ([{**REMOVE, "deadline": 5}], "stages.0.deadline: unknown field"),
        ([{**REMOVE, "deadline_seconds": 0}], "stages.0.deadline_seconds: wrong value, got 0"),
        (
            [{**REMOVE, "retries": {"source-mising": ["1m"]}}],
            "unknown reason 'source-mising'; did you mean source-missing?",
        ),
        (
            [{**REMOVE, "retries": {"moon": ["1m"]}}],
            "retries: unknown reason 'moon'; known: source-refused, source-mis",
        ),
        (
            [{**REMOVE, "retries": {"source-missing": ["1min"]}}],
            "retries.source-missing: unknown delay '1min'; did you mean 1m",
        ),
        ([{**REMOVE, "retries": {"source-missing": ["1d"]}}], "retries.source-missing: unknown delay '1d'"),
        (
            [{**REMOVE, "retries": {"source-missing": ["now"]}}],
            "retries.source-missing: now is for a person's replay; known: 10s, 1m, 10m",
        ),
        ([{**REMOVE, "retries": {"source-missing": ["1m"] * 11}}], "retries.source-missing: 11 delays; at most 10"),
        (
            [{**REMOVE, "retries": {"ambiguous-submit": ["1m"]}}],
            "stage remove-bg: retries.ambiguous-submit: buying again is a person's decision; it is never",
        ),
        ([{**REMOVE, "retries": {"invalid-event": ["1m"]}}], "retries.invalid-event: the same bytes fail again"),
        (
            [{**REMOVE, "retries": {"bug": [10]}}],
            "stages.0.retries.bug.0: wrong value, got 10, expected a valid string",
        ),
        ([{**REMOVE, "retries": ["bug"]}], "stages.0.retries: wrong value, got ['bug'], expected a valid dictionary"),
        ([], "stages: wrong value"),
    ],
)
def test_a_wrong_file_says_where_and_what(stages: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        pipeline(*stages)
    assert str(wrong.value).startswith("mine.yaml: ")
    assert complaint in str(wrong.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "stages: [", "just words", "version: 2\nstages: []", "!!python/object:os.x {}"]
)
def test_what_is_no_pipeline_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"^mine.yaml: "):
        read_pipeline(text, source="mine.yaml")


def test_a_file_is_read_from_its_path_or_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    with pytest.raises(Misconfigured, match=r"mine\.yaml cannot be read: No such file"):
        load_pipeline(path)
    path.write_text(yaml.safe_dump({"stages": [REMOVE]}))
    assert load_pipeline(path) == pipeline(REMOVE)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match=r"mine\.yaml cannot be read: it is not UTF-8 text"):
        load_pipeline(path)


def test_a_stage_tries_again_by_default_and_its_file_changes_that_by_reason() -> None:
    (plain, changed) = pipeline(
        REMOVE, {**UPSCALE, "retries": {"job-overdue": [], "bug": "10s", "source-missing": ["10s", "1m"]}}
    ).stages
    assert plain.retry_plan == {Reason.RETRIES_EXHAUSTED: ("1m", "10m"), Reason.JOB_OVERDUE: ("10m",)}
    assert changed.retry_plan == {
        Reason.RETRIES_EXHAUSTED: ("1m", "10m"), Reason.BUG: ("10s",), Reason.SOURCE_MISSING: ("10s", "1m"),
    }  # fmt: skip
    assert plain == pipeline({**REMOVE, "retries": {}}).stages[0]


def test_every_stage_reads_every_retry_topic() -> None:
    retries = tuple(f"product-images.retry.{delay}" for delay in ("now", "10s", "1m", "10m"))
    assert default_pipeline().reads("upscale", TOPICS) == ("product-images.transparent", *retries)


def test_an_unknown_stage_is_suggested() -> None:
    with pytest.raises(Misconfigured, match=r"'upscal' is not in the pipeline; did you mean upscale\?"):
        default_pipeline().index("upscal")


# An event's own wishes.


def test_an_event_passes_all_stages_or_those_it_names_in_the_pipelines_order() -> None:
    line = default_pipeline()
    assert names(line) == ["remove-bg", "upscale", "lifestyle", "thumbnails"]
    assert names(line, stages=["upscale", "remove-bg", "upscale"]) == ["remove-bg", "upscale"]
    assert names(line, stages=["remove-bg", "upscale", "thumbnails"]) == ["remove-bg", "upscale", "thumbnails"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"stages": []}, "stages: empty; expected some of remove-bg, upscale, lifestyle, thumbnails"),
        ({"stages": ["upscal"]}, "stages: unknown stage; got 'upscal'; expected upscale (perhaps)"),
        ({"stages": ["upscale"]}, "stages: upscale needs the asset transparent, which no chosen stage makes"),
        ({"stages": ["remove-bg", "thumbnails"]}, "thumbnails needs the asset upscaled or lifestyle"),
        ({"params": {"lifestile": {}}}, "params: unknown stage; got 'lifestile'; expected lifestyle (perhaps)"),
        ({"params": {"upscale": {"scale": 3}}}, "params.upscale.scale: wrong value; got 3; expected 2 or 4"),
        ({"params": {"upscale": {"scale": 10**18}}}, "params.upscale.scale: wrong value"),
        ({"params": {"upscale": {"scale": "4"}}}, "params.upscale.scale: wrong value; got '4'"),
        ({"params": {"remove-bg": {"x": 1}}}, "params.remove-bg.x: unknown field"),
        (
            {"params": {"thumbnails": {"widths": []}}},
            "params.thumbnails.widths: wrong value; got (); expected at least 1 item",
        ),
        ({"params": {"thumbnails": {"widths": list(range(16, 9_000))}}}, "widths: wrong value; got (16, 17"),
        (
            {"params": {"upscale": {"skip_if_longest_side": 10**18 * 100}}},
            "params.upscale: a number is too large; expected whole numbers of at most 64 bits",
        ),
        ({"params": {"lifestyle": {"prompt": ""}}}, "params.lifestyle.prompt: wrong value; got ''"),
        ({"params": {"lifestyle": {"prompt": "x" * 2001}}}, "expected at most 2000 characters"),
        ({"params": {"z" * 100_000: {}}}, "params: unknown stage"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_anything_is_bought(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Rejected) as refused:
        default_pipeline().route(event(**fields))
    assert refused.value.reason is Reason.INVALID_EVENT
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_an_events_parameters_go_over_the_pipelines() -> None:
    line = default_pipeline()
    upscale = line.stages[1].params_for(event(params={"upscale": {"scale": 2}}))
    assert upscale.model_dump() == {"scale": 2, "skip_if_longest_side": None}
    lifestyle = line.stages[2].params_for(event(params={"upscale": {"scale": 2}}))
    assert lifestyle.model_dump()["prompt"].startswith("clean white studio")

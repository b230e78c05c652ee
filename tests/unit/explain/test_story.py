"""The order of a story, what belongs together, and the sentence about how it stands."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from stream.broker.port import InRecord
from stream.core.errors import Reason
from stream.events import Origin
from stream.explain import telling, wording
from stream.explain.jobs import Job, tell_jobs
from stream.explain.moments import What
from stream.explain.reading import _marked
from stream.explain.search import Search
from stream.explain.story import State, Story, story_of
from stream.ledger.port import JobRecord, LedgerState, Payer
from stream.records import Status
from stream.replays.marks import Fate, Mark
from tests.unit.explain.told import START_MS, TOPICS, asset, ended, handed_on, letter, origin, raw, retry, search

EVENT = raw(event_id="e1")


def job(looking: Search, payer: Origin, key: str = "ab" * 32, *, replay: int = 0, **fields: Any) -> Job:
    told = {
        "state": LedgerState.SETTLED, "claim": "c", "attempt": 1, "claimed_at": START_MS / 1000 + 0.2,
        "accepted_at": START_MS / 1000 + 0.3, "job_id": "job-1", "credits": Decimal(50),
        "assets": {"upscaled": asset("upscaled")}, **fields,
    }  # fmt: skip
    record = JobRecord(key=key, operation="upscale", nonce="n", payer=Payer(origin=payer, replay=replay), **told)
    return Job(record, START_MS + 400, "upscale", tuple(looking.gathered.events.values()))


def story(*records: InRecord, jobs: list[dict[str, Any]] | None = None, marks: tuple[Mark, ...] = ()) -> Story:
    looking = search()
    for record in records:
        looking.look(record)
    events = list(looking.gathered.events.values())
    for mark in marks:
        owner = next(event for event in events if str(mark.letter) in event.letters)
        owner.moments.append(_marked(mark, "product-images.replays/0/1"))
    found = [job(looking, each.pop("payer", origin(EVENT)), **each) for each in jobs or []]
    tell_jobs(found, events)
    return story_of("SHOE-1", events, found, {}, [])


def mark(fate: Fate = Fate.REPLAYED, *, after_ms: int, **fields: Any) -> Mark:
    return Mark(
        fate=fate, topic=TOPICS.dead_letter, partition=0, offset=0, at_ms=START_MS + after_ms, by="anna@desk",
        why="photo is there now", stage="upscale", replay=1, **fields,
    )  # fmt: skip


def summary(*records: InRecord, **options: Any) -> str:
    (image,) = story(*records, **options).images
    return image.summary


def test_moments_are_told_in_order_with_the_jobs_of_the_ledger_between_them() -> None:
    told = story(
        ended(EVENT, after_ms=600), handed_on(EVENT, after_ms=100), EVENT, jobs=[{"waited_seconds": 0.15}],
    )  # fmt: skip
    ((event,),) = [image.events for image in told.images]
    assert [moment.what for moment in event.moments] == [
        What.RECEIVED, What.WAITED, What.HANDED_ON, What.CLAIMED, What.ACCEPTED, What.JOB, What.COMPLETED,
    ]  # fmt: skip
    assert event.moments[1].at_ms == START_MS + 50


def test_a_job_came_to_its_end_before_the_record_that_rests_on_it_whatever_a_store_tells_in_whole_seconds() -> None:
    told = story(EVENT, ended(EVENT, after_ms=350), jobs=[{}])  # its document is told to be written at 400
    assert [moment.what for moment in told.images[0].events[0].moments][-2:] == [What.JOB, What.COMPLETED]
    failed = {"state": LedgerState.FAILED, "assets": {}, "failed_jobs": ("job-1",)}
    told = story(EVENT, letter(EVENT, after_ms=350, job_key="ab" * 32), jobs=[failed])
    assert [moment.what for moment in told.images[0].events[0].moments][-2:] == [What.JOB, What.LETTER]


def test_a_job_came_to_its_end_after_it_was_ordered_whatever_a_store_tells_in_whole_seconds() -> None:
    late = START_MS / 1000 + 0.7  # ordered within the second that the store tells; the document says written at 400
    told = story(EVENT, ended(EVENT, after_ms=900), jobs=[{"claimed_at": late, "accepted_at": late + 0.1}])
    assert [moment.what for moment in told.images[0].events[0].moments] == [
        What.RECEIVED, What.CLAIMED, What.ACCEPTED, What.JOB, What.COMPLETED,
    ]  # fmt: skip


def test_causes_come_before_what_follows_at_the_same_millisecond() -> None:
    told = story(ended(EVENT, after_ms=0), handed_on(EVENT, after_ms=0), EVENT)
    assert [moment.what for moment in told.images[0].events[0].moments] == [
        What.RECEIVED, What.HANDED_ON, What.COMPLETED,
    ]  # fmt: skip


def test_images_and_events_are_told_apart() -> None:
    front, back, again = raw(image_id="front"), raw(image_id="back", offset=1, after_ms=5), raw(
        image_id="front", offset=2, after_ms=9
    )  # fmt: skip
    told = story(again, back, front, ended(back, after_ms=50))
    assert [image.image_id for image in told.images] == ["back", "front"]
    assert [event.event.origin.offset for event in told.images[1].events] == [0, 2]
    assert "1 other event" in told.images[1].summary


@pytest.mark.parametrize(
    ("records", "options", "sentence"),
    [
        ((EVENT,), {}, "SHOE-1 main: in progress, 0 credits"),
        ((EVENT, handed_on(EVENT, after_ms=1)), {}, "SHOE-1 main: in progress at upscale, 0 credits"),
        ((EVENT, retry(EVENT, after_ms=1)), {},
         "SHOE-1 main: waits until 2026-11-18 11:07:40.001 UTC (attempt 2), 0 credits"),
        ((EVENT, letter(EVENT, after_ms=1)), {}, "SHOE-1 main: failed in upscale (job-failed), 0 credits"),
        ((EVENT, retry(EVENT, after_ms=1), letter(EVENT, after_ms=2)), {},
         "SHOE-1 main: failed in upscale (job-failed) after 2 attempts, 0 credits"),
        ((EVENT, letter(EVENT, after_ms=1, reason=Reason.AMBIGUOUS_SUBMIT, credits_in_doubt="50")), {},
         "SHOE-1 main: failed in upscale (ambiguous-submit), 0 credits, 50 credits in doubt"),
        ((EVENT, ended(EVENT, after_ms=1)), {"jobs": [{}]}, "SHOE-1 main: completed, 50 credits"),
        ((EVENT, ended(EVENT, after_ms=1)), {"jobs": [{"failed_jobs": ("j0",), "failed_credits": Decimal(50)}]},
         "SHOE-1 main: completed, at most 100 credits"),
        ((EVENT, letter(EVENT, after_ms=1), retry(EVENT, after_ms=3, delay="now", replay=1)),
         {"marks": (mark(after_ms=2),)}, "SHOE-1 main: in progress at upscale (attempt 2, one replay), 0 credits"),
        ((EVENT, letter(EVENT, after_ms=1), retry(EVENT, after_ms=3, delay="now", replay=1),
          ended(EVENT, after_ms=9, replay=1)), {"marks": (mark(after_ms=2),), "jobs": [{"replay": 1}]},
         "SHOE-1 main: completed after 2 attempts and one replay, 50 credits"),
        ((EVENT, letter(EVENT, after_ms=1)), {"marks": (mark(Fate.DISCARDED, after_ms=2),)},
         "SHOE-1 main: failed, and discarded by anna@desk, 0 credits"),
        ((EVENT, ended(EVENT, after_ms=1, status=Status.SUPERSEDED, by=origin(raw(offset=5)))), {},
         "SHOE-1 main: superseded by product-images.raw/0/5, 0 credits"),
    ],
)  # fmt: skip
def test_the_sentence(records: tuple[InRecord, ...], options: dict[str, Any], sentence: str) -> None:
    assert summary(*records, **options) == sentence


def test_the_sentence_of_an_image_is_about_the_event_that_no_other_superseded() -> None:
    newer = raw(offset=1, after_ms=10)
    late = raw(offset=2, after_ms=20)
    told = summary(
        EVENT, newer, late, ended(newer, after_ms=50), ended(late, after_ms=60, status=Status.SUPERSEDED),
        jobs=[{"payer": origin(newer)}, {"payer": origin(EVENT), "key": "cd" * 32}],
    )  # fmt: skip
    assert told == "SHOE-1 main: completed, 50 credits; 2 other events, 100 credits in all"


def test_a_job_is_told_with_who_paid_and_the_others_say_what_they_reuse() -> None:
    again = raw(offset=1, after_ms=700)
    told = story(EVENT, ended(EVENT, after_ms=600), again, ended(again, after_ms=800), jobs=[{}])
    first, second = told.images[0].events
    assert [first.credits, second.credits] == [Decimal(50), Decimal(0)]
    assert second.event.reused == {"upscale": "product-images.raw/0/0"}
    assert "reuses upscale (paid by product-images.raw/0/0)" in "\n".join(telling.lines(told))


def test_an_ending_written_twice_counts_once() -> None:
    """At least once: the same end again, and a letter again, are no further attempts."""
    twice = [letter(EVENT, after_ms=1), letter(EVENT, after_ms=2, offset=1)]
    assert summary(EVENT, *twice) == "SHOE-1 main: failed in upscale (job-failed), 0 credits"


def test_tries_in_between_are_told_once_and_not_where_a_record_of_their_own_tells_them() -> None:
    alone = story(EVENT, letter(EVENT, after_ms=9)).images[0].events[0]
    assert [moment.text for moment in alone.moments if moment.what is What.TRIED] == ["upscale: transient: reset"]
    postponed = story(EVENT, retry(EVENT, after_ms=1), letter(EVENT, after_ms=9)).images[0].events[0]
    assert [moment.what for moment in postponed.moments] == [What.RECEIVED, What.POSTPONED, What.LETTER]


def test_a_mark_says_who_when_and_why() -> None:
    told = story(EVENT, letter(EVENT, after_ms=1), marks=(mark(after_ms=2, plan_id="1a2b", filter="--sku SHOE-1"),))
    (line,) = [line for line in telling.lines(told) if "replayed" in line]
    assert line.endswith(
        "by anna@desk, re-enters at upscale as replay 1, plan 1a2b, filter --sku SHOE-1: photo is there now  "
        "[product-images.replays/0/1]"
    )


def test_a_letter_tells_the_trace_it_ended_in() -> None:
    parent = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    failed = letter(EVENT, after_ms=9)
    told = story(EVENT, replace(failed, headers=(*failed.headers, parent)))
    assert any(", trace 4bf92f3577b34da6a3ce929d0e0e4736" in line for line in telling.lines(told))
    (moment,) = [each for each in told.images[0].events[0].moments if each.what is What.LETTER]
    assert moment.facts["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_hostile_names_stay_on_their_line() -> None:
    wild = "SHOE-1"
    event = raw(wild, image_id="back", raw_url="https://x.example.com/a", params={"upscale": {"\x1b[31m": "\n"}})
    marked = replace(letter(event, after_ms=1), headers=((b"skustream.reason".decode(), b"\x1b[2J\nbug"),))
    text = list(telling.lines(story(event, marked, ended(event, after_ms=3))))
    assert all(line.isprintable() for line in text)


def test_the_document_is_plain_json_and_holds_every_moment() -> None:
    told = story(EVENT, handed_on(EVENT, after_ms=100), ended(EVENT, after_ms=600), jobs=[{}])
    read = orjson.loads(orjson.dumps(telling.document(told)))
    (event,) = read["images"][0]["events"]
    assert (event["state"], event["credits"], event["attempts"]) == (State.COMPLETED, "50", 1)
    assert [moment["what"] for moment in event["moments"]] == [
        "received", "handed-on", "claimed", "accepted", "job", "completed",
    ]  # fmt: skip
    assert event["moments"][2]["facts"]["job_key"] == "ab" * 32


@pytest.mark.parametrize("told", ["1E-9000000000", "1E+9000000000", "9" * 1_000])
def test_an_amount_that_nobody_ever_paid_is_told_shortly(told: str) -> None:
    assert len(wording.amount(Decimal(told))) < 60
    assert wording.amount(Decimal("70.50")) == "70.5 credits"

"""submit and status on a real Kafka: what is sent, what is noted, and how ends are counted."""

import json
import secrets
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from stream.broker.port import OutRecord
from stream.core.errors import Reason
from stream.records import Status
from tests.integration.batches import Deployment
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.waiting import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.kafka

ROWS = 4_000
"""So many that whoever is interrupted after a few is not done with the rest, however late one looks."""
SKUS = [f"SKU-{number}" for number in range(20)]


@pytest.fixture
def shop(kafka: KafkaCluster | ExistingKafka, tmp_path: Path, prefix: str) -> Deployment:
    return Deployment(kafka, tmp_path, prefix)


class TestSubmit:
    def test_every_row_is_published_once_on_the_backfill_topic_by_its_sku(self, shop: Deployment) -> None:
        done = shop.run("submit", shop.catalog(SKUS), "--batch", "spring")
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[0] == f"20 of 20 rows sent to {shop.topics.backfill} as batch spring"
        records = shop.raw()
        assert sorted((record.key or b"").decode() for record in records) == sorted(SKUS)
        assert {json.loads(record.value or b"")["batch_id"] for record in records} == {"spring"}
        assert shop.raw(shop.topics.raw) == []

    def test_live_is_asked_for_and_stdin_is_a_catalog_too(self, shop: Deployment) -> None:
        lines = b'{"sku_id": "A", "raw_url": "https://x.example.com/a"}\n'
        done = shop.run("submit", "-", "--batch", "urgent", "--priority", "live", "--json", stdin=lines)
        told = json.loads(done.stdout)
        assert (told["sent"], told["topic"], told["not_taken"]) == (1, shop.topics.raw, 0)
        assert len(shop.raw(shop.topics.raw)) == 1

    def test_one_bad_row_sends_nothing_unless_it_may_be_skipped(self, shop: Deployment) -> None:
        path = shop.catalog([*SKUS[:3], "", *SKUS[3:5]])
        done = shop.run("submit", path, "--batch", "spring")
        assert done.exit_code == 2
        assert "skustream: line 5: sku_id: missing; expected a value" in done.stderr
        assert "nothing was sent: 1 wrong, 5 right; --skip-invalid" in done.stderr
        assert shop.raw() == []
        assert shop.run("status", "--batch", "spring").exit_code == 1
        done = shop.run("submit", path, "--batch", "spring", "--skip-invalid")
        assert (done.exit_code, len(shop.raw())) == (0, 5)

    def test_a_sample_is_noted_and_a_later_whole_submit_completes_it(self, shop: Deployment) -> None:
        path = shop.catalog(SKUS)
        done = shop.run("submit", path, "--batch", "spring", "--sample", "5")
        assert "15 more wait for the same command without --sample" in done.stdout
        sampled = [record.value for record in shop.raw()]
        assert shop.status("spring")["total"] == 5
        shop.run("submit", path, "--batch", "spring", "--sample", "5")
        assert sorted(record.value or b"" for record in shop.raw()) == sorted(value or b"" for value in sampled * 2)
        shop.run("submit", path, "--batch", "spring")
        told = shop.status("spring")
        assert (told["total"], told["in_progress"], told["unsent"]) == (20, 20, 0)
        assert [(each["is_sample"], each["events"], each["state"]) for each in told["submissions"]] == [
            (True, 5, "sent"), (True, 5, "sent"), (False, 20, "sent"),
        ]  # fmt: skip

    def test_missing_topics_wrong_words_and_a_dead_broker_are_told_before_anything_is_noted(
        self, shop: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = shop.catalog(SKUS)
        for words, code, complaint in [
            (("--topic-prefix", "nowhere"), 2, "there is no topic nowhere.raw, nowhere.raw.backfill"),
            (("--priority", "soon"), 2, "--priority: got 'soon'; expected live or backfill"),
            (("--format", "xml"), 2, "--format: got 'xml'; expected auto, csv, jsonl"),
            (("--batch", " x"), 2, "--batch: got ' x'; expected printable characters"),
        ]:
            done = shop.run("submit", path, "--batch", "spring", *words)
            assert (done.exit_code, complaint in done.stderr) == (code, True), done.output
        monkeypatch.setattr("stream.broker.scan.TIMEOUT_SECONDS", 0.5)
        (port,) = free_ports(1)
        done = shop.run("submit", path, "--batch", "spring", "--bootstrap-servers", f"127.0.0.1:{port}")
        assert done.exit_code == 3
        assert not (shop.folder / "store" / "_batches").exists()

    def test_a_record_the_broker_refuses_is_told_with_its_line_and_noted(self, shop: Deployment) -> None:
        big = {"sku_id": "BIG", "raw_url": "https://x.example.com/a", "attributes": {"x": secrets.token_hex(200_000)}}
        small = {"sku_id": "SMALL", "raw_url": "https://x.example.com/a"}
        path = shop.folder / "c.jsonl"
        path.write_text(f"{json.dumps(small)}\n{json.dumps(big)}\n")
        shop.limit(shop.topics.backfill, 100_000)
        done = shop.run("submit", str(path), "--batch", "spring")
        assert done.exit_code == 3
        assert "1 rows were not taken: MSG_SIZE_TOO_LARGE" in done.stderr
        assert "their lines: 2" in done.stderr
        told = shop.status("spring")
        assert (told["submissions"][0]["state"], told["in_progress"], told["unsent"]) == ("failed", 1, 1)
        assert "ended as failed: 1 of 2 rows" in told["warnings"][0]

    def test_interrupted_it_counts_what_is_in_the_topic_and_says_that_running_it_again_is_harmless(
        self, shop: Deployment
    ) -> None:
        path = shop.catalog([f"SKU-{number}" for number in range(ROWS)])
        code, said = shop.interrupt("submit", path, "--batch", "spring", after_records=5)
        sent = len(shop.raw())
        assert (code, sent < ROWS) == (130, True), said
        assert f"interrupted: {sent:,} of {ROWS:,} rows are surely in {shop.topics.backfill}; running it again" in said
        told = shop.status("spring")
        assert (told["total"], told["in_progress"], told["unsent"]) == (ROWS, sent, ROWS - sent)
        assert (told["submissions"][0]["state"], told["submissions"][0]["acknowledged"]) == ("interrupted", sent)
        assert shop.run("submit", path, "--batch", "spring").exit_code == 0
        told = shop.status("spring")
        assert (told["total"], told["in_progress"], told["unsent"], told["warnings"]) == (ROWS, ROWS, 0, [])


class TestStatus:
    def test_every_kind_of_end_is_counted_with_reasons_and_credits(self, shop: Deployment) -> None:
        shop.run("submit", shop.catalog(SKUS), "--batch", "spring")
        raw = shop.raw()
        shop.publish(
            *(shop.terminal(record) for record in raw[:10]),
            shop.terminal(raw[10], Status.SUPERSEDED, paid="10"),
            shop.letter(raw[11], Reason.SOURCE_MISSING),
            shop.letter(raw[12], paid="10", job_key="k1", credits="50"),
            shop.letter(raw[13], Reason.AMBIGUOUS_SUBMIT, paid="10", job_key="k2", credits="0", credits_in_doubt="50"),
        )
        shop.publish(*(shop.terminal(record) for record in raw[14:]), abort=True)
        told = shop.status("spring")
        counts = ("total", "success", "failed", "superseded", "in_progress", "unsent")
        assert [told[name] for name in counts] == [20, 10, 3, 1, 6, 0]
        assert told["success_rate"] == pytest.approx(10 / 13)
        assert (Decimal(told["credits"]), Decimal(told["credits_in_doubt"])) == (Decimal(780), Decimal(50))
        assert {each["reason"] for each in told["failures"]} == {"source-missing", "job-failed", "ambiguous-submit"}
        assert told["seconds_left"] > 0
        shown = shop.run("status", "--batch", "spring").stdout
        assert "success rate  76.9%" in shown
        assert "it went wrong  [31mred" in shown
        assert "\x1b" not in shown

    def test_nothing_ended_means_the_finish_is_unknown(self, shop: Deployment) -> None:
        shop.run("submit", shop.catalog(SKUS[:2]), "--batch", "spring")
        assert shop.status("spring")["seconds_left"] is None
        assert "finish        unknown" in shop.run("status", "--batch", "spring").stdout

    def test_submitted_twice_an_image_counts_once_and_its_latest_event_decides(self, shop: Deployment) -> None:
        path = shop.catalog(SKUS[:3])
        shop.run("submit", path, "--batch", "spring")
        first = sorted(shop.raw(), key=lambda record: record.key or b"")
        shop.publish(
            shop.terminal(first[0]), shop.letter(first[1]), shop.terminal(first[2], Status.SUPERSEDED, paid="0")
        )
        shop.run("submit", path, "--batch", "spring")
        told = shop.status("spring")
        assert [told[name] for name in ("total", "in_progress")] == [3, 3]
        second = [record for record in shop.raw() if record not in first]
        shop.publish(*(shop.terminal(record, paid="0") for record in second))
        told = shop.status("spring")
        assert [told[name] for name in ("total", "success", "failed", "superseded")] == [3, 3, 0, 0]
        assert Decimal(told["credits"]) == Decimal(70)

    def test_a_replay_that_succeeds_replaces_the_letter_it_was_made_from(self, shop: Deployment) -> None:
        shop.run("submit", shop.catalog(SKUS[:1]), "--batch", "spring")
        (record,) = shop.raw()
        shop.publish(shop.letter(record, paid="10"))
        assert shop.status("spring")["failed"] == 1
        shop.publish(shop.terminal(record, replay=1))
        shop.publish(shop.letter(record, paid="10"))
        told = shop.status("spring")
        assert (told["success"], told["failed"], Decimal(told["credits"])) == (1, 0, Decimal(70))

    def test_a_pims_batch_is_found_by_reading_and_an_unknown_one_is_exit_1(self, shop: Deployment) -> None:
        for number, sku in enumerate(SKUS):
            batch = "pim/2026 ü" if number < 4 else "other"
            value = json.dumps({"id": sku, "raw_url": "https://x.example.com/a", "batch_id": batch})
            shop.publish(OutRecord(shop.topics.raw, key=sku.encode(), value=value.replace("/", "\\/").encode()))
        raw = [record for record in shop.raw(shop.topics.raw) if b"pim" in (record.value or b"")]
        shop.publish(*(shop.terminal(record) for record in raw[:3]))
        told = shop.status("pim/2026 ü")
        assert (told["total"], told["success"], told["in_progress"], told["noted"]) == (4, 3, 1, False)
        assert shop.status("pim/2026 ü", "--since", "2020-01-01")["total"] == 4
        done = shop.run("status", "--batch", "pim/2026 ü", "--since", "2100-01-01T00:00:00Z")
        assert (done.exit_code, "no batch 'pim/2026 ü'" in done.stderr) == (1, True)
        assert shop.run("status", "--batch", "nobody").exit_code == 1
        assert shop.run("status", "--batch", "nobody", "--since", "monday").exit_code == 2

    def test_foreign_records_are_counted_and_harm_nothing(self, shop: Deployment) -> None:
        shop.run("submit", shop.catalog(SKUS[:1]), "--batch", "spring")
        (record,) = shop.raw()
        whole = json.loads(shop.terminal(record).value or b"")
        foreign: list[bytes | None] = [
            None,
            b"",
            b"hello",
            b'{"batch_id": "spring"',
            b'["spring"]',
            b'{"batch_id":"spring"}',
        ]
        foreign += [json.dumps({**whole, **wrong}).encode() for wrong in (
            {"credits": "NaN"}, {"credits": "1e99"}, {"credits": None}, {"status": "lost"}, {"origin": 7},
            {"replay": "x"},
        )]  # fmt: skip
        shop.publish(*(OutRecord(shop.topics.completed, key=b"?", value=value) for value in foreign))
        letters = [b'{"batch_id":"spring","sku_id":"SKU-0"}', b"\\", b'{"raw": "\\"", "origin": 1}']
        shop.publish(*(OutRecord(shop.topics.dead_letter, key=None, value=value) for value in letters))
        told = shop.status("spring")
        assert (told["total"], told["in_progress"], told["unreadable"]) == (1, 1, len(foreign) + 1)
        shop.publish(shop.terminal(record))
        assert shop.status("spring")["success"] == 1

    def test_what_retention_took_is_told(self, shop: Deployment) -> None:
        shop.run("submit", shop.catalog(SKUS), "--batch", "spring")
        shop.publish(*(shop.terminal(record) for record in shop.raw()))
        shop.forget(shop.topics.completed)
        told = shop.status("spring")
        (warning,) = told["warnings"]
        assert warning.startswith(
            f"{shop.topics.completed} no longer holds everything since the batch began (retention)"
        )
        assert (told["total"], told["success"], told["in_progress"]) == (20, 0, 20)

    def test_ends_are_counted_even_where_the_raw_records_are_gone(self, shop: Deployment) -> None:
        shop.run("submit", shop.catalog(SKUS), "--batch", "spring")
        shop.publish(*(shop.terminal(record) for record in shop.raw()[:15]))
        shop.forget(shop.topics.backfill)
        told = shop.status("spring")
        assert (told["total"], told["success"], told["unsent"]) == (20, 15, 5)

    def test_watching_tells_each_change_and_ends_when_all_have_ended(
        self, shop: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.run("submit", shop.catalog(SKUS[:3]), "--batch", "spring")
        raw = shop.raw()
        steps: list[Callable[[], None]] = [
            lambda: None,
            lambda: shop.publish(shop.terminal(raw[0])),
            lambda: shop.publish(*(shop.letter(record) for record in raw[1:])),
        ]
        # Its own pause alone: publishing waits too, and must not begin the next step meanwhile.
        monkeypatch.setattr("stream.cli.status.time", SimpleNamespace(sleep=lambda _: steps.pop(0)()))
        lines = shop.run("status", "--batch", "spring", "--watch").stdout.splitlines()
        assert [line.split(", ")[1:4] for line in lines[:3]] == [
            ["success 0", "failed 0", "in progress 3"],
            ["success 1", "failed 0", "in progress 2"],
            ["success 1", "failed 2", "in progress 0"],
        ]
        assert [line.split(":")[0] for line in lines[3:]] == [
            f"failed {(record.key or b'').decode()}" for record in raw[1:]
        ]
        told = [
            json.loads(line)
            for line in shop.run("status", "--batch", "spring", "--watch", "--json").stdout.splitlines()
        ]
        assert [each["done"] for each in told] == [True]

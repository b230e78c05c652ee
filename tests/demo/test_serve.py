"""`skustream demo --serve` and the lines it prints, typed in a second terminal as a newcomer would copy them."""

import json
import re
import shlex
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stream.broker.scan import Scanner
from tests.composed.worker import command, surroundings
from tests.services import leash
from tests.services.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.broker.port import InRecord

PHOTOS = 3
LATE, BROKEN = "MUG-104-SAGE", "MUG-404-BROKEN"
LAST_WORDS = "when this command ends"


@dataclass
class Second:
    """The second terminal: its exports last, and every command is typed as it was printed."""

    folder: Path
    first_run: str
    second_run: str
    printed: "Sequence[str]"

    def line(self, beginning: str) -> str:
        """The printed line that does this, without its comment."""
        (found,) = [line for line in self.printed if beginning in line]
        return found

    def type(self, *lines: str, code: int = 0) -> str:
        """What they say."""
        exports = self.line("export SKUSTREAM_CONFIG=")
        done = subprocess.run(
            ["bash", "-ec", "\n".join([exports, *lines])], cwd=self.folder, env=surroundings(), capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(Path(self.line("export").partition("=")[2]).read_text())
        return found

    def books(self) -> dict[str, Any]:
        """The simulated provider's own."""
        url = self.settings["pixelapi_base"].removesuffix("/v1") + "/_sim/summary"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            found: dict[str, Any] = json.load(answer)
        return found

    def completed(self, sku_id: str) -> list[dict[str, Any]]:
        """Its terminal records, by a consumer of our own."""
        records: list[InRecord] = []
        with Scanner({"bootstrap.servers": self.settings["kafka_bootstrap_servers"]}) as scanner:
            spans = scanner.spans(["product-images.completed"])
            scanner.begin({partition: span.low for partition, span in spans.items()})
            for batch in scanner.read():
                records += [record for record in batch if record.key == sku_id.encode()]
        return [json.loads(record.value or b"") for record in records]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """The demo, and again with --serve: it stays up, and the lines that it printed."""
    folder = tmp_path_factory.mktemp("newcomer")
    words = [*command(), "demo", "--count", str(PHOTOS)]
    environment = surroundings() | {"COLUMNS": "200"}
    first = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=True)
    log = folder / "first-terminal.log"
    with log.open("wb") as out:
        process = leash.start([*words, "--serve"], log=out, env=environment, cwd=folder)
    try:

        def stays() -> bool:
            assert process.poll() is None, log.read_text()
            return LAST_WORDS in log.read_text()

        until(stays, timeout_seconds=150, what="the demo staying up")
        said = log.read_text()
        lines = said.partition("In a second terminal")[2].splitlines()
        yield Second(folder, first.stdout, said, [line.strip() for line in lines if line.startswith("  ")])
    finally:
        assert leash.reap(process, signal.SIGINT, timeout_seconds=150) == 0, log.read_text()


def test_the_demo_ends_by_naming_serve_and_the_next_run_buys_nothing(second: Second) -> None:
    assert second.first_run.rstrip().endswith("skustream demo --serve")
    for said, submits in ((second.first_run, "6"), (second.second_run, "0")):
        told = dict(re.findall(r"^(total|success|failed|submits sent) +(\d+) *$", said, re.MULTILINE))
        assert told == {"total": str(PHOTOS), "success": "1", "failed": "2", "submits sent": submits}


def test_every_printed_line_names_something_that_is_there(second: Second) -> None:
    assert [shlex.split(line, comments=True)[0].rpartition("/")[2] for line in second.printed] == [
        "export", "skustream", "skustream", "skustream", "cp", "skustream", "skustream", "skustream", "curl",
    ]  # fmt: skip
    assert re.search(rf"total +{PHOTOS}\b", second.type(second.line("status --batch")))
    assert BROKEN in second.type(second.line("dlq list"))
    assert "product-images.dead-letter" in second.type(second.line("dlq show"))
    assert "skustream_" in second.type(second.line("curl"))


def test_a_missing_photo_is_put_there_and_its_letter_replayed_to_its_end(second: Second) -> None:
    """The price before, one end after, three jobs bought, and a story that says so."""
    before = second.books()
    assert second.type(second.line(" explain ")).splitlines()[-1] == (
        f"{LATE} main: failed in remove-bg (source-missing), 0 credits"
    )
    assert second.completed(LATE) == []
    second.type(second.line("cp "))
    plan = second.type(second.line("dlq replay"))
    assert re.search(r"\b70\b", plan), plan
    until(lambda: bool(second.completed(LATE)), timeout_seconds=150, what="the replayed event's end")
    (end, *others) = second.completed(LATE)
    assert (end["status"], end["replay"], float(end["credits"])) == ("completed", 1, 70)
    assert all(other["replay"] == 1 for other in others), "at least once, but of the same replay"
    after = second.books()
    assert after["submits_accepted"] - before["submits_accepted"] == 3
    told = second.type(second.line(" explain ")).splitlines()
    assert told[-1] == f"{LATE} main: completed after 2 attempts and one replay, 70 credits"
    assert any("the photo is there now" in line and " replayed " in line for line in told)


def test_a_remembered_verdict_is_not_bought_again_by_a_replay(second: Second) -> None:
    before = second.books()
    plan = second.type(second.line("dlq list").replace("dlq list", f"dlq replay --sku {BROKEN} --dry-run"))
    assert "fail again" in plan
    assert second.books()["submits_accepted"] == before["submits_accepted"]


def test_the_console_shows_the_demos_batch_and_its_pictures(second: Second) -> None:
    log = second.folder / "console.log"
    words = [*command(), *shlex.split(second.line(" console"))[1:], "--port", "0"]
    environment = surroundings() | {"SKUSTREAM_CONFIG": second.line("export").partition("=")[2]}
    with log.open("wb") as out:
        process = leash.start(words, log=out, env=environment, cwd=second.folder)
    try:
        until(lambda: "console at http" in log.read_text(), timeout_seconds=150, what="the console's address")
        address = re.findall(r"console at (http\S+)", log.read_text())[0].rstrip("/")
        until(lambda: ">demo<" in _page(address), timeout_seconds=150, what="the batch on the first page")
    finally:
        leash.reap(process, signal.SIGINT, timeout_seconds=150)


def _page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own address
        text: str = answer.read().decode()
        return text

"""`skustream dlq` on the broker inside librdkafka, as in a second terminal beside `skustream demo --serve`."""

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stream.broker.embedded import EmbeddedBroker
from stream.broker.port import OutRecord
from stream.broker.publishing import publish
from stream.cli.main import app
from stream.core.errors import Reason
from stream.letters.letter import LetterId
from stream.replays.marks import Fate, Mark
from stream.topics import Topics
from tests.composed.worker import command
from tests.unit.letters.posted import event, posted

TOPICS = Topics()
Dlq = Callable[..., Result]
HOSTILE = "<script>\x1b[2J\u202e"
BY_TIME = "skustream: this broker cannot find letters by time: all are read\n"


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """Seven letters in partition 0 or wherever; one is replayed; another topic has a foreign one and a hostile one."""
    with EmbeddedBroker() as broker:
        broker.create_topics([TOPICS.dead_letter, TOPICS.replays, "connect-dlq", "empty"])
        letters = [posted(event(f"SKU-{number % 3}", batch_id="autumn"), offset=number) for number in range(5)]
        letters.append(posted(event("SKU-9"), Reason.BUG, stage="upscale", attempts=4, traceback="Traceback\nKeyError"))
        client = {"bootstrap.servers": broker.bootstrap_servers}
        assert publish(client, letters).acknowledged == 6
        foreign = [
            OutRecord("connect-dlq", b"k", b"\xff\x00", (("__connect.errors.exception.class.name", b"a.B"),)),
            OutRecord("connect-dlq", b"k", b"x" * 900_000, ((HOSTILE, HOSTILE.encode()), ("skustream.reason", b"r"),
                                                            ("skustream.sku-id", HOSTILE.encode()))),
        ]  # fmt: skip
        assert publish(client, foreign).acknowledged == 2
        yield broker


@pytest.fixture
def dlq(broker: EmbeddedBroker) -> Dlq:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "TERM": "dumb"}
    return lambda *words: CliRunner().invoke(app, ["dlq", *words], prog_name="skustream", env=environment)


def listed(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def places(dlq: Dlq) -> list[str]:
    return [str(row["letter"]) for row in listed(dlq("list", "--json", "--state", "any"))]


def test_letters_are_listed_as_tabs_and_as_json(dlq: Dlq) -> None:
    rows = [line.split("\t") for line in dlq("list").stdout.splitlines()]
    assert [len(row) for row in rows] == [11] * 6
    assert rows[0][2:8] == ["open", "remove-bg", "source-missing", "SKU-0", "main", "autumn"]
    assert [row["sku_id"] for row in listed(dlq("list", "--json"))] == [row[5] for row in rows]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--reason", "bug"), 1), (("--reason", "bug", "--reason", "source-missing"), 6), (("--stage", "remove-bg"), 5),
        (("--sku", "SKU-0"), 2), (("--batch", "autumn", "--attempts", "2"), 0), (("--distinct",), 4),
        (("--where", "contains(traceback, 'KeyError')"), 1), (("--priority", "backfill"), 0), (("--limit", "2"), 2),
        (("--newest", "--limit", "3"), 3), (("--until", "2026-01-01"), 0), (("--state", "discarded"), 0),
    ],
    ids=str,
)  # fmt: skip
def test_filters_choose(dlq: Dlq, words: tuple[str, ...], count: int) -> None:
    assert len(listed(dlq("list", "--json", *words))) == count


def test_what_stands_beside_the_rows_is_said_in_words(dlq: Dlq) -> None:
    assert dlq("list", "--sku", "X").stderr == (
        "skustream: no letter in product-images.dead-letter is meant by: sku=X state=open\n"
    )
    assert dlq("list", "--topic", "empty").stderr == "skustream: empty holds no letters\n"
    assert "2 shown, and there are more: --limit 0 for all" in dlq("list", "--limit", "2").stderr
    assert dlq("list", "--since", "1h").stderr == BY_TIME
    assert len(listed(dlq("list", "--json", "--since", "1h"))) == 6


def test_a_letter_without_such_a_value_is_told_and_none_is_a_mistake(dlq: Dlq) -> None:
    told = dlq("list", "--json", "--where", "contains(event.batch_id, 'aut')")
    assert len(listed(told)) == 5
    assert "skustream: 1 letters left out, --where cannot judge them: product-images.dead-letter/" in told.stderr
    wrong = dlq("list", "--where", "attempts > '3'")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "--where: no letter can be judged by it: product-images.dead-letter/" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", "--reason", "bag"), "--reason: got 'bag'; expected bug (perhaps)"),
        (("list", "--since", "soon"), "--since: got 'soon'; expected a time"),
        (("list", "--where", "a >"), "--where: got 'a >': no expression"),
        (("list", "--topic", "no/topic?"), "there is no topic no/topic?"),
        (("list", "--topic", "nowhere-\x1b[31m"), "there is no topic"),
        (("list", "--newest", "--limit", "0"), "--newest needs a --limit"),
        (("show", "x"), "got 'x'; expected partition/offset, or topic/partition/offset"),
        (("show", "99/0"), "has no partition 99"),
        (("watch", "--state", "open"), "watch shows what comes"),
        (("export", "--output", "/nowhere/x"), "--output: /nowhere/x cannot be written"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_one_line(dlq: Dlq, words: tuple[str, ...], told: str) -> None:
    result = dlq(*words)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.rstrip("\n").isprintable()


def test_a_letter_is_shown_whole(dlq: Dlq) -> None:
    (row,) = listed(dlq("list", "--json", "--reason", "bug"))
    short = str(row["letter"]).removeprefix("product-images.dead-letter/")
    text = dlq("show", short).stdout
    for line in ("reason       bug", "sku          SKU-9", "  KeyError", "what was tried", '    "sku_id": "SKU-9",'):
        assert line in text.splitlines()[:-1] or line in text
    assert "way out      Report it with skustream.traceback" in text
    whole = json.loads(dlq("show", str(row["letter"]), "--json").stdout)
    assert (whole["event"]["sku_id"], whole["mark"], whole["state"]) == ("SKU-9", None, "open")
    partition = short.partition("/")[0]
    missing = dlq("show", f"{partition}/999999")
    assert (missing.exit_code, "it aged out, or never was" in missing.stderr) == (1, True)


def test_what_was_decided_is_told(dlq: Dlq, broker: EmbeddedBroker) -> None:
    decided = places(dlq)[0]
    topic, partition, offset = decided.rsplit("/", 2)
    at = LetterId(topic, int(partition), int(offset))
    mark = Mark(fate=Fate.REPLAYED, topic=at.topic, partition=at.partition, offset=at.offset, at_ms=1_795_860_000_000,
                by="ann", why="photo is there now\x1b[31m", filter="sku=SKU-0", replay=1,
                stage="remove-bg")  # fmt: skip
    record = OutRecord(TOPICS.replays, str(at).encode(), mark.model_dump_json().encode())
    taken_back = OutRecord(TOPICS.replays, str(at).encode(), None)
    client = {"bootstrap.servers": broker.bootstrap_servers}
    assert publish(client, [record]).acknowledged == 1
    try:
        assert [row["letter"] for row in listed(dlq("list", "--json", "--state", "replayed"))] == [decided]
        assert len(listed(dlq("list", "--json"))) == 5
        told = dlq("show", decided).stdout
        assert "replayed as replay 1, at stage remove-bg" in told
        assert "why          photo is there now [31m" in told
        assert "at           2026-11-28T10:00:00Z" in told
        counted = json.loads(dlq("stats", "--json").stdout)
        assert (counted["letters"], counted["open"], counted["replayed"], counted["distinct"]) == (6, 5, 1, 4)
        assert {(group["stage"], group["reason"]): group["letters"] for group in counted["groups"]} == {
            ("remove-bg", "source-missing"): 5, ("upscale", "bug"): 1,
        }  # fmt: skip
    finally:
        assert publish(client, [taken_back]).acknowledged == 1


def test_anybodys_topic_is_read_and_nothing_in_it_reaches_the_terminal(dlq: Dlq) -> None:
    rows = listed(dlq("list", "--json", "--topic", "connect-dlq"))
    assert {row["reason"] for row in rows} == {"a.B", "r"}
    for words in (("list",), ("stats",), *(("show", str(row["letter"])) for row in rows)):
        text = dlq(*words, "--topic", "connect-dlq").stdout
        assert all(character.isprintable() or character in "\n\t" for character in text)
        assert len(text) < 20_000
    assert "<script>" in dlq("list", "--topic", "connect-dlq").stdout


def test_letters_are_exported(dlq: Dlq, tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    done = dlq("export", "--output", str(path), "--reason", "source-missing")
    assert done.stderr == f"skustream: 5 letters of product-images.dead-letter written to {path}\n"
    assert {json.loads(line)["event"]["batch_id"] for line in path.read_text().splitlines()} == {"autumn"}
    again = dlq("export", "--output", str(path))
    assert (again.exit_code, "exists; --force writes over it" in again.stderr) == (2, True)
    rows = list(csv.DictReader(io.StringIO(dlq("export", "--output", "-", "--format", "csv").stdout)))
    assert sorted(row["reason"] for row in rows) == ["bug", *["source-missing"] * 5]
    whole = dlq("export", "--output", str(path), "--force", "--exact", "--topic", "connect-dlq")
    assert whole.exit_code == 0
    assert {len(json.loads(line)["value_base64"]) for line in path.read_text().splitlines()} == {4, 1_200_000}


def test_watching_ends_after_so_many(dlq: Dlq) -> None:
    assert len(listed(dlq("watch", "--since", "1h", "--limit", "2", "--json"))) == 2


def on_a_terminal(broker: EmbeddedBroker, *words: str, columns: int = 118) -> str:
    """What a person sees, the bar and its wiping included, by the installed command on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    seen = bytearray()
    with subprocess.Popen(
        [*command(), "dlq", *words], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # Linux' word for the end of a terminal
            while part := os.read(ours, 65_536):
                seen += part
    os.close(ours)
    assert process.returncode == 0, seen.decode()
    return seen.decode()


def lines_of(seen: str) -> list[str]:
    """Without the colours, the bar and what wipes it."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    return [line.rpartition("\r")[2].rstrip() for line in plain.replace("\r\n", "\n").splitlines()]


def test_on_a_terminal_there_are_a_bar_and_a_table(broker: EmbeddedBroker) -> None:
    seen = on_a_terminal(broker, "list", "--reason", "source-missing")
    assert "reading letters" in seen
    rows = [line for line in lines_of(seen) if " source-missing " in line]
    assert len(rows) == 5
    assert all(len(row) < 118 for row in rows)
    assert re.search(r"LETTER +TIME +STATE +STAGE +REASON +SKU +ERROR", seen)
    row = r"\d+/\d+ +\d\d-\d\d \d\d:\d\d:\d\d open +remove-bg +source-missing +SKU-\d +raw_url.*"
    assert all(re.fullmatch(row, each) for each in rows), rows
    narrow = on_a_terminal(broker, "list", columns=80)
    assert "ERROR" not in narrow


def test_on_a_terminal_the_figures_have_a_sum(broker: EmbeddedBroker) -> None:
    lines = lines_of(on_a_terminal(broker, "stats"))
    (heading,) = [line for line in lines if line.startswith("stage ")]
    assert heading.split() == ["stage", "reason", "letters", "distinct", "oldest", "newest", "open"]
    (total,) = [line for line in lines if line.startswith("all ")]
    assert total.split()[1:3] == ["6", "4"]


def test_a_reader_that_goes_away_is_no_traceback(broker: EmbeddedBroker) -> None:
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
    line = f"{' '.join(command())} dlq list --limit 0 | head -1"
    done = subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("product-images.dead-letter/")
    assert "Traceback" not in done.stderr
